# Sourced by ./gpuos: packs the command line and a Java runtime that holds just its modules.
#
#   ./gpuos dist [--out FILE]      default FILE: target/gpuos-VERSION-linux-ARCHITECTURE.tar.gz
#
# The archive holds one directory of that name: bin/gpuos, runtime/ and the licences. The start-up
# cache is made by running the packed command's demo, so it fits that runtime and no other; a demo
# that fails or finds a wrong result is not packed.

# Above this, the archive is refused: it has to travel.
dist_limit_bytes=40000000

dist_usage() {
  echo "gpuos: $1, expected=dist [--out FILE]" >&2
  exit 2
}

# dist_link DIRECTORY: lays out the distribution.
dist_link() {
  rm -rf "$1"
  mkdir -p "$1/bin"
  # Not compressed here: the archive compresses better as a whole, and classes load faster.
  "$JAVA_HOME/bin/jlink" --module-path "$application" --add-modules io.gpuos.cli \
    --strip-debug --no-header-files --no-man-pages --compress zip-0 --output "$1/runtime"
  cp "$root/tools/jvm.options" "$1/runtime/"
  cp "$root/cli/src/dist/bin/gpuos" "$1/bin/"
  cp "$root/LICENSE" "$root/README.md" "$1/"
  # The cache records the time of what it was made from: set it before.
  find "$1" -exec touch --no-dereference --date=2026-01-01T00:00:00Z {} +
  "$1/runtime/bin/java" "@$1/runtime/jvm.options" -XX:AOTCacheOutput="$1/runtime/gpuos.aot" \
    --module=io.gpuos.cli/io.gpuos.cli.Main demo --device=cpu --operations=2000
}

dist_pack() {
  tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime=2026-01-01T00:00:00Z \
    --directory "$(dirname "$1")" "$(basename "$1")" | gzip --no-name >"$2.part"
  mv "$2.part" "$2"
}

dist_out=
while [ $# -gt 0 ]; do
  case $1 in
    --out)
      [ $# -gt 1 ] || dist_usage "dist: --out needs a file"
      dist_out=$2
      shift 2
      ;;
    --out=*)
      dist_out=${1#--out=}
      shift
      ;;
    *) dist_usage "dist: unknown argument: argument=$1" ;;
  esac
done

build_if_needed
dist_version=$("$JAVA_HOME/bin/java" --module-path "$application" --describe-module io.gpuos.cli |
  sed -n '1s/^io.gpuos.cli@\([^ ]*\).*/\1/p')
dist_name=gpuos-$dist_version-linux-$(uname -m)
dist_out=${dist_out:-$root/target/$dist_name.tar.gz}
dist_log=$root/target/dist.log
trap 'rm -f "$dist_out.part"' EXIT
(: >"$dist_out.part") 2>/dev/null || {
  echo "gpuos: dist: not writable: file=$dist_out, expected=a file in a writable directory" >&2
  exit 2
}

echo "gpuos: linking a runtime and packing it" >&2
dist_link "$root/target/dist/$dist_name" >"$dist_log" 2>&1 || {
  tail -n 5 "$dist_log" >&2
  echo "gpuos: dist failed: log=$dist_log" >&2
  exit 1
}
dist_pack "$root/target/dist/$dist_name" "$dist_out"

dist_bytes=$(wc -c <"$dist_out")
if [ "$dist_bytes" -ge "$dist_limit_bytes" ]; then
  echo "gpuos: dist: too large: bytes=$dist_bytes, expected=below $dist_limit_bytes" >&2
  exit 1
fi
echo "$dist_out $dist_bytes bytes"
