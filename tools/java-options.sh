# Sourced by both launchers, that of a checkout and that of a distribution: what the JVM is told by
# its surroundings. Uses no program but the shell and the JVM.

java_main=--module=io.gpuos.cli/io.gpuos.cli.Main

# require_java_options JAVA OPTION..: ends the process with exit code 2 and one line if the JVM
# refuses GPUOS_JAVA_OPTIONS after the others. Costs a start of the JVM, where the variable is set.
require_java_options() {
  [ -n "${GPUOS_JAVA_OPTIONS-}" ] || return 0
  # shellcheck disable=SC2086 # options are split on purpose
  if ! java_says=$("$@" ${GPUOS_JAVA_OPTIONS-} --dry-run "$java_main" 2>&1); then
    # Its first line says what is wrong.
    java_says=${java_says%%"
"*}
    echo "gpuos: JVM does not start: GPUOS_JAVA_OPTIONS=$GPUOS_JAVA_OPTIONS, reason=$java_says," \
      "expected=options of java, split at spaces" >&2
    exit 2
  fi
}

# In the C locale the JVM takes file names for ASCII, and cannot open others; everything else in it
# is as in C.UTF-8.
prefer_utf8() {
  case ${LC_ALL:-${LC_CTYPE:-${LANG:-C}}} in
    C | POSIX)
      if [ -n "${LC_ALL-}" ]; then
        LC_ALL=C.UTF-8
      else
        LC_CTYPE=C.UTF-8
        export LC_CTYPE
      fi
      ;;
  esac
}
