package io.gpuos.conformance;
interface FunctionConformance extends Target {}
