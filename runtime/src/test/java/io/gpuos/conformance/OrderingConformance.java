package io.gpuos.conformance;
interface OrderingConformance extends Target {}
