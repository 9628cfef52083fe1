package io.gpuos.conformance;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs the conformance suite on a machine without Maven:
 *
 * <pre>
 * java -cp CLASSES:TEST-CLASSES:JARS --enable-native-access=ALL-UNNAMED \
 *     io.gpuos.conformance.ConformanceMain [--json FILE] [cpu | cuda | CLASS | CLASS#METHOD]...
 * </pre>
 *
 * Without names it runs both devices. Exit status 1 if a test failed, 2 if none ran.
 */
public final class ConformanceMain {

  private ConformanceMain() {}

  public static void main(String[] arguments) throws IOException {
    List<DiscoverySelector> selectors = new ArrayList<>();
    Path json = null;
    for (int i = 0; i < arguments.length; i++) {
      if (arguments[i].equals("--json")) {
        json = Path.of(arguments[++i]);
      } else {
        selectors.add(selector(arguments[i]));
      }
    }
    if (selectors.isEmpty()) {
      selectors.add(selector("cpu"));
      selectors.add(selector("cuda"));
    }
    ResultListener results = run(selectors);
    System.out.print(results.summary());
    if (json != null) {
      Files.writeString(json, results.json());
    }
    System.exit(results.failed() > 0 ? 1 : results.passed() == 0 ? 2 : 0);
  }

  private static DiscoverySelector selector(String name) {
    return switch (name) {
      case "cpu" -> selectClass(CpuConformanceTest.class);
      case "cuda" -> selectClass(CudaConformanceTest.class);
      default -> name.contains("#") ? selectMethod(expanded(name)) : selectClass(expanded(name));
    };
  }

  /** {@code cpu#shouldX} and {@code cuda#shouldX} are short for the class names. */
  private static String expanded(String name) {
    return name.replaceFirst("^cpu#", CpuConformanceTest.class.getName() + "#")
        .replaceFirst("^cuda#", CudaConformanceTest.class.getName() + "#");
  }

  private static ResultListener run(List<DiscoverySelector> selectors) {
    LauncherDiscoveryRequest request =
        LauncherDiscoveryRequestBuilder.request().selectors(selectors).build();
    ResultListener results = new ResultListener();
    Launcher launcher = LauncherFactory.create();
    launcher.execute(request, results);
    return results;
  }
}
