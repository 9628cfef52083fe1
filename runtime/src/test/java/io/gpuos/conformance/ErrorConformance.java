package io.gpuos.conformance;
interface ErrorConformance extends Target {}
