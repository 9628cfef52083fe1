# Sourced by tools/dist.sh: the Python package as a wheel, beside the archive, where there is a
# python3. It holds the package, a Java runtime of the JDK's modules alone, and the jars.

# wheel_build DIRECTORY: writes the wheel there and prints its path and size.
wheel_build() {
  if ! command -v python3 >/dev/null 2>&1; then
    echo "gpuos: no wheel: found=no python3 on PATH, expected=one; install it and repeat" >&2
    return 0
  fi
  wheel_payload=$root/target/wheel
  rm -rf "$wheel_payload"
  mkdir -p "$wheel_payload/_jars"
  "$JAVA_HOME/bin/jlink" --add-modules java.base --strip-debug --no-header-files --no-man-pages \
    --compress zip-0 --output "$wheel_payload/_runtime"
  # Only the library is used: nothing of the image is started as a program.
  rm -rf "$wheel_payload/_runtime/bin"
  cp "$root/tools/jvm.options" "$wheel_payload/_runtime/"
  echo "-Dgpuos.commit=$(sh "$root/tools/commit.sh" "$root")" >>"$wheel_payload/_runtime/jvm.options"
  cp "$root"/bridge/target/app/*.jar "$wheel_payload/_jars/"
  python3 "$root/python/backend/gpuos_build.py" "$1"
}
