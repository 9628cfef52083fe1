package io.gpuos.conformance;
interface MemoryConformance extends Target {}
