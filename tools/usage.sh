# Sourced by ./gpuos: what --help says of the commands that the launcher does itself.

# launcher_usage COMMAND: prints it.
launcher_usage() {
  case $1 in
    build)
      cat <<'END'
Usage: gpuos build [--help]
Builds the command line, also when nothing changed. Otherwise that happens by itself, before a
command, when a source is newer.
END
      ;;
    test)
      cat <<'END'
Usage: gpuos test [--help] [MAVEN-ARGUMENT...]
Runs every test and check of this repository, then prints how many. Arguments go to Maven:
  -Dtest=NAME         only the tests of classes of that name; no launcher or concurrency tests
  -pl runtime         only what is in that module
END
      ;;
    format)
      cat <<'END'
Usage: gpuos format [--help]
Rewrites the Java sources in google-java-format's style and lists those that differed.
END
      ;;
    nvrtc)
      cat <<'END'
Usage: gpuos nvrtc [--help]
Fetches NVRTC, CUDA's run-time compiler, into the local Maven repository (343 MB, once), for
machines without CUDA.
END
      ;;
    dist)
      cat <<'END'
Usage: gpuos dist [--help] [--out FILE]
Packs a tar.gz that runs on a glibc Linux x86-64 machine without Java.
  --out FILE          where to; target/gpuos-VERSION-linux-ARCHITECTURE.tar.gz by default. A file
                      that is there is replaced when the new one is complete; a device or a pipe is
                      written to; - is standard output.
Without --out, and with a python3, also packs target/gpuos-*.whl, the package for PyTorch.
END
      ;;
  esac
}

# is_launcher_command NAME
is_launcher_command() {
  case ${1-} in
    build | test | format | nvrtc | dist) return 0 ;;
    *) return 1 ;;
  esac
}

# wants_help ARGUMENT..: whether one of them asks for it.
wants_help() {
  for argument; do
    case $argument in
      -h | --help) return 0 ;;
    esac
  done
  return 1
}

# refuse_arguments COMMAND ARGUMENT..: for commands that take none.
refuse_arguments() {
  if [ $# -gt 1 ]; then
    echo "gpuos: $1: unknown argument: argument=$2, expected=none; try: gpuos $1 --help" >&2
    exit 2
  fi
}
