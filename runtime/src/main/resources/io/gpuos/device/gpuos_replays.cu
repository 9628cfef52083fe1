// The kernels that replay one program on somebody else's stream. They differ in where the bindings
// are, and they call operators as the resident kernel does, with the same resources.
#include "gpuos_replay.cuh"
#include "gpuos_reserve.cuh"

extern "C" __global__ void __launch_bounds__(GPUOS_BLOCK_THREADS, GPUOS_BLOCKS_PER_SM)
    gpuos_replay_near(const __grid_constant__ gpuos::Parameter<GPUOS_NEAR_BINDINGS> parameter) {
  gpuos::replay<false>(parameter.head, gpuos::FollowingBindings<GPUOS_NEAR_BINDINGS>{parameter},
                gpuos_reserve);
}

extern "C" __global__ void __launch_bounds__(GPUOS_BLOCK_THREADS, GPUOS_BLOCKS_PER_SM)
    gpuos_replay_wide(const __grid_constant__ gpuos::Parameter<GPUOS_WIDE_BINDINGS> parameter) {
  gpuos::replay<false>(parameter.head, gpuos::FollowingBindings<GPUOS_WIDE_BINDINGS>{parameter},
                gpuos_reserve);
}

extern "C" __global__ void __launch_bounds__(GPUOS_BLOCK_THREADS, GPUOS_BLOCKS_PER_SM)
    gpuos_replay_distant(const __grid_constant__ gpuos_replay parameter) {
  using namespace gpuos;
  replay<false>(parameter, DistantBindings{reinterpret_cast<const u64*>(parameter.bindings)},
         gpuos_reserve);
}

extern "C" __global__ void __launch_bounds__(GPUOS_BLOCK_THREADS, GPUOS_BLOCKS_PER_SM)
    gpuos_replay_traced(const __grid_constant__ gpuos_replay parameter) {
  using namespace gpuos;
  replay<true>(parameter, DistantBindings{reinterpret_cast<const u64*>(parameter.bindings)},
               gpuos_reserve);
}
