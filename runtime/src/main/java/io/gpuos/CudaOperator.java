package io.gpuos;

import io.gpuos.device.cuda.OperatorCompiler;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.FileFormatException;
import io.gpuos.ir.Definition;
import io.gpuos.ir.Expr;
import io.gpuos.ir.ExpressionPlan;
import io.gpuos.ir.ForeignFunction;
import io.gpuos.ir.TensorType;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * An elementwise operator whose scalar function is CUDA C++: it is called once for each element of
 * the result, with inputs of any layout, which broadcast. Immutable and thread-safe. {@link
 * Gpuos#inject(CudaOperator)} brings it into a runtime.
 *
 * <p>A signature is {@code TYPE NAME(TYPE NAME, ...)}, such as {@code f32 swish(f32 x, f32 beta)},
 * with the type names of {@code cast}. The source defines a {@code __device__} function of that
 * name; {@link ForeignFunction} says which C++ types it has. It may define more beside it; GPUOS's
 * own headers, such as {@code gpuos_math.cuh}, are all it can include. Inputs have exactly the
 * types declared: nothing is converted silently.
 *
 * <p>It runs on CUDA devices only. {@link #compile} works without one.
 */
public final class CudaOperator {

  /** What is compiled for where there is no device to compile for. */
  public static final String DEFAULT_ARCHITECTURE = "sm_90";

  /** Marks a comment line before the code of a file that holds the signature. */
  private static final String MARK = "// gpuos:";

  private final String name;
  private final ForeignFunction function;

  private CudaOperator(String name, ForeignFunction function) {
    this.name = name;
    this.function = function;
  }

  /**
   * An operator.
   *
   * @param name of the operator; that of the function may be another
   * @param source CUDA C++
   * @param signature of the function in it
   * @throws ExpressionException if name or signature are malformed; what is wrong with the source
   *     shows when it is compiled
   */
  public static CudaOperator of(String name, String source, String signature) {
    LiveOperator.requireName(name);
    return new CudaOperator(name, ForeignFunction.of(signature, name + ".cu", source));
  }

  /**
   * An operator from a file, with the name of its function. A comment line before the code holds
   * the signature: {@code // gpuos: f32 swish(f32 x, f32 beta)}.
   *
   * @throws FileFormatException if the file cannot be read or is not text in UTF-8
   * @throws ExpressionException if there is no signature or it is malformed
   */
  public static CudaOperator read(Path file) {
    return read(file, Optional.empty(), Optional.empty());
  }

  /**
   * An operator from a file.
   *
   * @param name of the operator; by default that of the function
   * @param signature by default that in the file
   */
  public static CudaOperator read(Path file, Optional<String> name, Optional<String> signature) {
    name.ifPresent(LiveOperator::requireName);
    String source = text(file);
    String found = signature.or(() -> signature(source)).orElseThrow(() -> noSignature(file));
    ForeignFunction function = ForeignFunction.of(found, file.getFileName().toString(), source);
    return new CudaOperator(name.orElse(function.name()), function);
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (CharacterCodingException e) {
      throw new FileFormatException("not text: file=" + file + ", expected=CUDA C++ in UTF-8", e);
    } catch (IOException e) {
      throw new FileFormatException(
          "cannot read: file=%s, expected=a readable file: %s".formatted(file, e), e);
    }
  }

  private static Optional<String> signature(String source) {
    return source
        .lines()
        .map(String::strip)
        .takeWhile(line -> line.isEmpty() || line.startsWith("//"))
        .filter(line -> line.startsWith(MARK))
        .map(line -> line.substring(MARK.length()))
        .findFirst();
  }

  private static ExpressionException noSignature(Path file) {
    return new ExpressionException(
        "no signature: file=%s, expected=a first line such as %s f32 swish(f32 x, f32 beta)"
            .formatted(file, MARK));
  }

  /** Name of the operator. */
  public String name() {
    return name;
  }

  /** The function's signature, in one form whatever way it was written. */
  public String signature() {
    return function.signature();
  }

  /** Names of the inputs, in the order tensors are passed. */
  public List<String> inputs() {
    return function.parameters().stream().map(ForeignFunction.Parameter::name).toList();
  }

  /**
   * A call of the function in an expression of its own, for {@link Operator#of(Expr...)}.
   *
   * @throws ExpressionException if the number of arguments is wrong
   */
  public Expr call(Expr... arguments) {
    return new Expr.Foreign(function, Arrays.asList(arguments));
  }

  /**
   * Type and shape of the result.
   *
   * @param types of the inputs, in order
   * @throws io.gpuos.error.DTypeException if one has another type than declared
   * @throws io.gpuos.error.ShapeException if the shapes do not broadcast
   */
  public TensorType result(List<TensorType> types) {
    if (types.size() != function.arity()) {
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "number of inputs: operator=%s, inputs=%d, expected=%d",
              this,
              types.size(),
              function.arity()));
    }
    SequencedMap<String, TensorType> named = new LinkedHashMap<>();
    for (TensorType type : types) {
      named.put(inputs().get(named.size()), type);
    }
    return definition().result(named);
  }

  /** Types of the inputs, by name; the shapes stand for any. */
  SequencedMap<String, TensorType> types() {
    SequencedMap<String, TensorType> types = new LinkedHashMap<>();
    function.parameters().forEach(p -> types.put(p.name(), TensorType.of(p.type(), 1)));
    return types;
  }

  /** What runs when the operator is injected. */
  Definition definition() {
    return Definition.of(name, call(inputs().stream().map(Expr::input).toArray(Expr[]::new)));
  }

  /** Where it comes from, for people. */
  String origin() {
    return function.file() + ": " + signature();
  }

  /**
   * Compiles the operator as a CUDA device would. Needs NVRTC, and no GPU.
   *
   * @param architecture such as {@code sm_90}
   * @return the machine code, a relocatable cubin
   * @throws io.gpuos.error.CompileException if the source does not compile or does not define the
   *     function; the first line of the message names file and line, and the compiler's log follows
   * @throws io.gpuos.error.DeviceUnavailableException if NVRTC is not there
   */
  public byte[] compile(String architecture) {
    ExpressionPlan.Step step = definition().step(name, types(), function.result());
    return OperatorCompiler.compile(step.kernel(), architecture);
  }

  @Override
  public String toString() {
    return name + ": " + signature();
  }
}
