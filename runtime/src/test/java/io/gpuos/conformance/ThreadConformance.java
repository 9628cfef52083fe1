package io.gpuos.conformance;
interface ThreadConformance extends Target {}
