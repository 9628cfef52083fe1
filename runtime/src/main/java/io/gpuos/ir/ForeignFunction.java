package io.gpuos.ir;

import io.gpuos.error.ExpressionException;
import io.gpuos.layout.DType;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A scalar function whose body is CUDA C++ that somebody else wrote. Takes part in expressions and
 * kernels like the functions of {@link Function}, on devices that run CUDA code. Structural: equal
 * ones have the same source, letter for letter, and share compiled forms.
 *
 * <p>The source defines a {@code __device__} function of that name, whose parameters and result are
 * the compute types of {@link Kernel}: {@code double} for f64; {@code float} for f32, f16 and bf16;
 * {@code long long} for i64; {@code int} for the other integers; {@code bool} for bool. It has no
 * effects, since nobody promises how often or in which order it is called.
 *
 * @param name of the C++ function
 * @param file what compile errors call the source, such as {@code swish.cu}
 * @param source CUDA C++; also includes, constants and further functions, none of which clash with
 *     others
 * @param parameters types and names, in the function's order; at most {@value Kernel#MAX_INPUTS}
 * @param result type of the result; of integers narrower than 32 bits the low bits are kept
 */
public record ForeignFunction(
    String name, String file, String source, List<Parameter> parameters, DType result) {

  /**
   * A parameter.
   *
   * @param name by which arguments are named; not seen by the compiler
   */
  public record Parameter(DType type, String name) {
    @Override
    public String toString() {
      return TypeNames.shortName(type) + " " + name;
    }
  }

  private static final String GRAMMAR =
      "TYPE NAME(TYPE NAME, ...), such as f32 swish(f32 x, f32 beta)";
  private static final Pattern SIGNATURE =
      Pattern.compile("\\s*(\\w+)\\s+(\\w+)\\s*\\(([^()]*)\\)\\s*;?\\s*");
  private static final Pattern PARAMETER = Pattern.compile("\\s*(\\w+)\\s+(\\w+)\\s*");

  public ForeignFunction {
    parameters = List.copyOf(parameters);
  }

  /**
   * Reads a signature: {@code TYPE NAME(TYPE NAME, ...)}, such as {@code f32 swish(f32 x, f32
   * beta)}, with the type names of {@code cast}.
   *
   * @throws ExpressionException if it is none, with the part at fault
   */
  public static ForeignFunction of(String signature, String file, String source) {
    Matcher matcher = SIGNATURE.matcher(signature);
    if (!matcher.matches()) {
      throw malformed(signature, "signature=" + signature.strip(), GRAMMAR);
    }
    DType result = type(signature, matcher.group(1));
    String name = name(signature, matcher.group(2));
    String list = matcher.group(3).strip();
    List<Parameter> parameters =
        list.isEmpty()
            ? List.of()
            : Pattern.compile(",")
                .splitAsStream(list + " ")
                .map(text -> parameter(signature, text))
                .toList();
    checkNames(signature, parameters);
    if (parameters.size() > Kernel.MAX_INPUTS) {
      throw malformed(
          signature,
          "parameters=" + parameters.size(),
          String.format(Locale.ROOT, "at most %d parameters", Kernel.MAX_INPUTS));
    }
    if (source.indexOf('\0') >= 0) {
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "source is no text: file=%s, position=%d, expected=no NUL character",
              file,
              source.indexOf('\0')));
    }
    return new ForeignFunction(name, file, source, parameters, result);
  }

  private static Parameter parameter(String signature, String text) {
    Matcher matcher = PARAMETER.matcher(text);
    if (!matcher.matches()) {
      throw malformed(signature, "parameter=" + text.strip(), GRAMMAR);
    }
    return new Parameter(type(signature, matcher.group(1)), name(signature, matcher.group(2)));
  }

  private static DType type(String signature, String name) {
    Optional<DType> type = TypeNames.find(name);
    return type.orElseThrow(
        () -> malformed(signature, "type=" + name, "a type, one of " + TypeNames.all()));
  }

  private static String name(String signature, String name) {
    if (!Lexer.isName(name)) {
      throw malformed(signature, "name=" + name, "a letter or _, then letters, digits or _");
    }
    return name;
  }

  private static void checkNames(String signature, List<Parameter> parameters) {
    Set<String> names = new HashSet<>();
    for (Parameter parameter : parameters) {
      if (!names.add(parameter.name())) {
        throw malformed(signature, "parameter=" + parameter.name(), "different names");
      }
    }
  }

  private static ExpressionException malformed(String signature, String fault, String expected) {
    String whole = fault.startsWith("signature=") ? "" : ", signature=" + signature.strip();
    return new ExpressionException(
        "malformed signature: %s%s, expected=%s".formatted(fault, whole, expected));
  }

  /** Number of parameters. */
  public int arity() {
    return parameters.size();
  }

  /** Text that {@link #of} reads back. */
  public String signature() {
    return TypeNames.shortName(result)
        + " "
        + name
        + parameters.stream().map(Parameter::toString).collect(Collectors.joining(", ", "(", ")"));
  }

  /** The signature, without the source. */
  @Override
  public String toString() {
    return signature();
  }
}
