# Sourced by ./gpuos: builds the command line into $application, with a visible progress line. One
# build at a time for a checkout; whoever comes meanwhile waits and uses what it made.

application=$root/cli/target/app
startup_cache=$root/cli/target/gpuos.aot
build_log=$root/target/build.log

build_if_needed() {
  is_current || with_build_lock build_unless_current
}

build() {
  with_build_lock run_build
}

build_unless_current() {
  is_current || run_build
}

# Whether nothing that goes into the command line is newer than its jar.
is_current() {
  [ -f "$application/gpuos-cli.jar" ] && [ -f "$root/bridge/target/app/gpuos-bridge.jar" ] &&
    [ -z "$(find "$root/pom.xml" "$root/runtime/pom.xml" "$root/cli/pom.xml" \
      "$root/runtime/src/main" "$root/cli/src/main" "$root/tools/jvm.options" \
      "$root/bridge/pom.xml" "$root/bridge/src/main" \
      -newer "$application/gpuos-cli.jar" -print -quit)" ]
}

# The lock is a file descriptor's, so it ends with the process, however that ends.
with_build_lock() {
  mkdir -p "$root/target"
  exec 9>"$root/target/build.lock"
  if command -v flock >/dev/null 2>&1 && ! flock --nonblock 9; then
    echo "gpuos: waiting for another build of this checkout" >&2
    flock 9
  fi
  "$@"
  exec 9>&-
}

run_build() {
  require_maven
  : >"$build_log"
  mvn --batch-mode --file "$root/pom.xml" --projects cli,bridge --also-make \
    -Dquick -Dmaven.test.skip=true -Dtoolchain.jdk.env=JAVA_HOME package \
    >"$build_log" 2>&1 9>&- &
  build_process=$!
  trap 'kill "$build_process" 2>/dev/null; exit 130' INT TERM
  show_progress "$build_process"
  trap - INT TERM
  if ! wait "$build_process"; then
    grep '^\[ERROR\] .' "$build_log" | head -n 12 >&2 || :
    echo "gpuos: build failed: log=$build_log" >&2
    exit 1
  fi
}

require_maven() {
  if ! command -v mvn >/dev/null 2>&1; then
    echo "gpuos: no Maven: found=none on PATH, expected=Maven 3.6.3 or newer; install it" >&2
    exit 2
  fi
  # Maven's own libraries make a new JDK warn.
  MAVEN_OPTS="${MAVEN_OPTS-} --sun-misc-unsafe-memory-access=allow"
  MAVEN_OPTS="$MAVEN_OPTS --enable-native-access=ALL-UNNAMED"
  export MAVEN_OPTS
}

# show_progress PROCESS: seconds and phase on standard error until it ends; a line that is rewritten
# on a terminal, a line for each phase elsewhere.
show_progress() {
  begin=$(date +%s)
  shown=
  while kill -0 "$1" 2>/dev/null; do
    phase=$(build_phase)
    seconds=$(($(date +%s) - begin))
    if [ -t 2 ]; then
      printf '\r\033[Kgpuos: building, %d s: %.60s' "$seconds" "$phase" >&2
    elif [ "${phase%% *}" != "$shown" ]; then
      shown=${phase%% *}
      printf 'gpuos: building, %d s: %s\n' "$seconds" "$phase" >&2
    fi
    sleep 0.2
  done
  [ ! -t 2 ] || printf '\r\033[K' >&2
}

# What Maven does now, read from its log.
build_phase() {
  phase=$(sed -n -e 's/^.*Downloading from .*\/\([^/]*\)$/downloading \1/p' \
    -e 's/^Progress .*\/\([^/]*\)$/downloading \1/p' \
    -e 's/^\[INFO\] --- .*compile.* @ \(.*\) ---$/compiling \1/p' \
    -e 's/^\[INFO\] --- .*(startup-cache).*/making the start-up cache/p' "$build_log" | tail -n 1)
  echo "${phase:-starting Maven}"
}
