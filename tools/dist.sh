# Sourced by ./gpuos: packs the command line and a Java runtime that holds just its modules.
# `./gpuos dist --help` lists the options.
#
# The archive holds one directory of its own name: bin/gpuos, runtime/ and the licences. The start-up
# cache is made by running the packed command's demo, so it fits that runtime and no other; a demo
# that fails or finds a wrong result is not packed.

# Above this, the archive is refused: it has to travel.
dist_limit_bytes=40000000

# dist_refuse MESSAGE: ends with one line for what was asked for.
dist_refuse() {
  echo "gpuos: dist: $1" >&2
  exit 2
}

# dist_link DIRECTORY: lays out the distribution.
dist_link() {
  rm -rf "$1"
  mkdir -p "$1/bin"
  # Not compressed here: the archive compresses better as a whole, and classes load faster.
  "$JAVA_HOME/bin/jlink" --module-path "$application" --add-modules io.gpuos.cli \
    --strip-debug --no-header-files --no-man-pages --compress zip-0 --output "$1/runtime"
  cp "$root/tools/jvm.options" "$root/tools/java-options.sh" "$1/runtime/"
  echo "-Dgpuos.commit=$(sh "$root/tools/commit.sh" "$root")" >>"$1/runtime/jvm.options"
  cp "$root/cli/src/dist/bin/gpuos" "$1/bin/"
  cp "$root/LICENSE" "$root/README.md" "$1/"
  # The cache records the time of what it was made from: set it before.
  find "$1" -exec touch --no-dereference --date=2026-01-01T00:00:00Z {} +
  "$1/runtime/bin/java" "@$1/runtime/jvm.options" -XX:AOTCacheOutput="$1/runtime/gpuos.aot" \
    --module=io.gpuos.cli/io.gpuos.cli.Main demo --device=cpu --operations=2000
}

# dist_pack DIRECTORY FILE
dist_pack() {
  tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime=2026-01-01T00:00:00Z \
    --directory "$(dirname "$1")" "$(basename "$1")" | gzip --no-name >"$2"
}

# dist_prepare: checks where the archive goes, before the work. The policy is that of the package
# io.gpuos.file: a regular file is written aside, as $dist_aside, and renamed to $dist_target, what
# symbolic links lead to; anything else is written straight, and both are empty.
dist_prepare() {
  dist_target=
  dist_aside=
  case $dist_out in
    - | /dev/stdout | /dev/fd/1 | /proc/self/fd/1)
      dist_out=-
      return
      ;;
  esac
  [ ! -d "$dist_out" ] ||
    dist_refuse "not writable: file=$dist_out, found=a directory, expected=the path of a file"
  if [ -e "$dist_out" ] && [ ! -f "$dist_out" ]; then
    [ -w "$dist_out" ] ||
      dist_refuse "not writable: file=$dist_out, expected=a file that can be written"
    return
  fi
  dist_target=$(readlink -f -- "$dist_out") && [ -d "$(dirname "$dist_target")" ] &&
    { [ ! -e "$dist_target" ] || [ -w "$dist_target" ]; } &&
    dist_aside=$(mktemp "$(dirname "$dist_target")/.gpuos-XXXXXXXXXX" 2>/dev/null) ||
    dist_refuse "not writable: file=$dist_out, expected=a file in a writable directory"
  # As any new file, or as the one that is replaced.
  chmod "$(stat -c %a "$dist_target" 2>/dev/null ||
    printf '%o' $((0666 & ~0$(umask))))" "$dist_aside"
}

# dist_deliver ARCHIVE: to where it was asked for.
dist_deliver() {
  if [ "$dist_out" = - ]; then
    cat "$1"
  elif [ -z "$dist_target" ]; then
    cat "$1" >"$dist_out"
  else
    cat "$1" >"$dist_aside" && mv -f "$dist_aside" "$dist_target"
  fi || {
    echo "gpuos: dist: cannot write: file=$dist_out, expected=room for $dist_bytes bytes" >&2
    exit 1
  }
}

dist_out=
while [ $# -gt 0 ]; do
  case $1 in
    --out)
      [ $# -gt 1 ] || dist_refuse "--out needs a file: found=none, expected=dist [--out FILE]"
      dist_out=$2
      shift 2
      ;;
    --out=*)
      dist_out=${1#--out=}
      shift
      ;;
    *) dist_refuse "unknown argument: argument=$1, expected=dist [--out FILE]" ;;
  esac
  [ -n "$dist_out" ] || dist_refuse "--out names no file: file=, expected=dist [--out FILE]"
done

dist_aside=
dist_log=$root/target/dist.log
dist_archive=$root/target/dist.tar.gz
trap 'rm -f "$dist_archive" ${dist_aside:+"$dist_aside"}' EXIT
if [ -n "$dist_out" ]; then
  dist_prepare
fi
build_if_needed
trap 'exit 130' INT
trap 'exit 143' TERM
dist_version=$("$JAVA_HOME/bin/java" --module-path "$application" --describe-module io.gpuos.cli |
  sed -n '1s/^io.gpuos.cli@\([^ ]*\).*/\1/p')
dist_name=gpuos-$dist_version-linux-$(uname -m)
dist_beside=no
if [ -z "$dist_out" ]; then
  dist_beside=yes
  dist_out=$root/target/$dist_name.tar.gz
  dist_prepare
fi

echo "gpuos: linking a runtime and packing it" >&2
dist_link "$root/target/dist/$dist_name" >"$dist_log" 2>&1 || {
  tail -n 5 "$dist_log" >&2
  echo "gpuos: dist failed: log=$dist_log" >&2
  exit 1
}
dist_pack "$root/target/dist/$dist_name" "$dist_archive"

dist_bytes=$(wc -c <"$dist_archive")
if [ "$dist_bytes" -ge "$dist_limit_bytes" ]; then
  echo "gpuos: dist: too large: bytes=$dist_bytes, expected=below $dist_limit_bytes" >&2
  exit 1
fi
dist_deliver "$dist_archive"
if [ "$dist_out" = - ]; then
  echo "gpuos: wrote $dist_bytes bytes to standard output" >&2
else
  echo "$dist_out $dist_bytes bytes"
fi
# Beside the default archive only: with --out, that file is all that is written.
if [ "$dist_beside" = yes ]; then
  . "$root/tools/wheel.sh"
  wheel_build "$root/target"
fi
