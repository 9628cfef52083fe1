#!/bin/sh
# Builds bench/device/generated/check_ops from what DeviceCheckSources wrote into generated/.
#
#   check_ops.sh gpu [architecture]   with nvcc, for that GPU (default sm_90)
#   check_ops.sh host                 with g++, the host playing the device: no GPU needed
set -eu
cd "$(dirname "$0")"
cores=$(nproc)
mode=${1:-gpu}
out=generated/$mode
mkdir -p "$out"
case $mode in
  gpu)
    device="nvcc -std=c++17 -O2 -rdc=true -arch=${2:-sm_90} --maxrregcount=64 -Igenerated"
    extra=
    linker="nvcc -arch=${2:-sm_90}"
    ;;
  host)
    device="g++ -x c++ -std=c++17 -O1 -w -fno-strict-aliasing -ffp-contract=off -Igenerated
      -include host/host_device.h -include host/gpuos_ptx.cuh"
    extra=host/host_device.cpp
    linker=g++
    ;;
  *)
    echo "unknown mode: mode=$mode, expected=gpu or host" >&2
    exit 2
    ;;
esac
compile() {
  # Newer than all it is made from, or compiled again.
  for source in "$1" generated/*.cuh check_*.h host/*; do
    if [ ! "$2" -nt "$source" ]; then
      echo "$3 -c $1 -o $2"
      return
    fi
  done
}
{
  for source in generated/ops_*.cu; do
    compile "$source" "$out/$(basename "$source" .cu).o" "$(echo $device)"
  done
  compile generated/cases.cpp "$out/cases.o" "g++ -std=c++17 -O1 -w -Igenerated"
  if [ "$mode" = host ]; then
    compile check_ops.cu "$out/check_ops.o" "g++ -x c++ -std=c++17 -O1 -w -DGPUOS_HOST -Igenerated"
    compile "$extra" "$out/host_device.o" "g++ -std=c++17 -O1 -w -Igenerated"
  else
    compile check_ops.cu "$out/check_ops.o" "$(echo $device)"
  fi
} | tr '\n' '\0' | xargs -0 -r -n 1 -P "$cores" sh -c
$linker "$out"/*.o -o "generated/check_ops_$mode"
echo "built bench/device/generated/check_ops_$mode"
