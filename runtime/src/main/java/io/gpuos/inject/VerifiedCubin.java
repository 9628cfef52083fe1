package io.gpuos.inject;

import io.gpuos.inject.Cubin.Relocation;
import io.gpuos.inject.Cubin.Section;
import java.util.List;
import java.util.Map;

/**
 * What {@link CubinVerifier} found about a cubin it accepted. Immutable.
 *
 * @param cubin the cubin
 * @param architecture it is for
 * @param code sections of the functions that can be reached, the entry's first
 * @param data sections of the variables they use
 * @param relocations of the cubin, by the section they change
 * @param registers the most that any of them needs
 * @param stackBytes of a thread, for the deepest chain of calls
 */
record VerifiedCubin(
    Cubin cubin,
    Architecture architecture,
    List<Section> code,
    List<Section> data,
    Map<Integer, List<Relocation>> relocations,
    int registers,
    int stackBytes) {

  VerifiedCubin {
    code = List.copyOf(code);
    data = List.copyOf(data);
    relocations = Map.copyOf(relocations);
  }
}
