/** How commands print: aligned tables for people, one JSON document for programs. */
package io.gpuos.cli.text;
