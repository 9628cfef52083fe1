#!/bin/sh
# Builds FOLDER/check_ops from what DeviceCheckSources wrote into FOLDER (default: generated).
#
#   check_ops.sh gpu [FOLDER [ARCHITECTURE]]   with nvcc, for that GPU (default sm_90)
#   check_ops.sh host [FOLDER]                 with g++, the host playing the device: no GPU needed
set -eu
mode=${1:-gpu}
folder=${2:-$(dirname "$0")/generated}
here=$(cd "$(dirname "$0")" && pwd)
cd "$folder"
includes="-I. -I$here -I$here/host"
host="g++ -std=c++17 -O1 -w $includes"
case $mode in
  gpu)
    device="nvcc -std=c++17 -O2 -rdc=true -fmad=false -arch=${3:-sm_90} --maxrregcount=64 -I. -I$here"
    main=$device
    link="nvcc -arch=${3:-sm_90}"
    ;;
  host)
    device="$host -x c++ -fno-strict-aliasing -ffp-contract=off -include host_device.h
      -include $here/host/gpuos_ptx.cuh"
    main="$host -x c++ -DGPUOS_HOST"
    link=g++
    ;;
  *)
    echo "unknown mode: mode=$mode, expected=gpu or host" >&2
    exit 2
    ;;
esac
mkdir -p "$mode"
{
  for source in ops_*.cu; do
    echo $device -c "$source" -o "$mode/${source%.cu}.o"
  done
  echo $host -c cases.cpp -o "$mode/cases.o"
  echo $main -c "$here/check_ops.cu" -o "$mode/check_ops.o"
  if [ "$mode" = host ]; then
    echo $host -c "$here/host/host_device.cpp" -o "$mode/host_device.o"
  fi
} | tr '\n' '\0' | xargs -0 -n 1 -P "$(nproc)" sh -c
$link "$mode"/*.o -o check_ops
echo "built $folder/check_ops"
