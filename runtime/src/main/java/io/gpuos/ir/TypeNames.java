package io.gpuos.ir;

import io.gpuos.layout.DType;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Names of element types in the language: {@code f16}, {@code half} and {@code float16}. */
final class TypeNames {

  private static final Map<String, DType> BY_NAME = byName();

  private TypeNames() {}

  private static Map<String, DType> byName() {
    Map<String, DType> names = new HashMap<>();
    for (DType type : DType.values()) {
      names.put(shortName(type), type);
      names.put(type.longName(), type);
    }
    names.put("float64", DType.F64);
    names.put("float32", DType.F32);
    names.put("float16", DType.F16);
    return names;
  }

  static Optional<DType> find(String name) {
    return Optional.ofNullable(BY_NAME.get(name));
  }

  /** The short name, {@code f16}. */
  static String shortName(DType type) {
    return type.name().toLowerCase(Locale.ROOT);
  }

  /** The short names, for messages. */
  static String all() {
    return Stream.of(DType.values()).map(TypeNames::shortName).collect(Collectors.joining(", "));
  }
}
