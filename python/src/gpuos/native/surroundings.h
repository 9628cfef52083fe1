// Modes of PyTorch that change what a function computes, as compiled.py's _surroundings has them,
// but for the precision of float32 products: a native program computes them in one way.
#pragma once

#include <ATen/Context.h>
#include <ATen/PythonTorchFunctionTLS.h>
#include <c10/core/DefaultDtype.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

namespace at::autocast {
// Declared here because its header takes 20 s to compile.
TORCH_API at::ScalarType get_autocast_dtype(at::DeviceType device_type);
}  // namespace at::autocast

namespace gpuos {

// The thread's dispatch keys tell of autocast, dispatch modes, functorch's transforms and tracing.
struct Surroundings {
  uint64_t included;
  uint64_t excluded;
  int64_t functions;
  at::ScalarType cpu;
  at::ScalarType cuda;
  at::ScalarType usual;
  bool gradients;
  bool inference;
  bool deterministic;

  static Surroundings now() {
    const auto keys = c10::impl::tls_local_dispatch_key_set();
    return {
        keys.included_.raw_repr(),
        keys.excluded_.raw_repr(),
        at::impl::PythonTorchFunctionTLS::stack_len(),
        at::autocast::get_autocast_dtype(c10::DeviceType::CPU),
        at::autocast::get_autocast_dtype(c10::DeviceType::CUDA),
        c10::get_default_dtype_as_scalartype(),
        c10::GradMode::is_enabled(),
        c10::InferenceMode::is_enabled(),
        at::globalContext().deterministicAlgorithms(),
    };
  }

  bool operator==(const Surroundings& other) const {
    return included == other.included && excluded == other.excluded &&
        functions == other.functions && cpu == other.cpu && cuda == other.cuda &&
        usual == other.usual && gradients == other.gradients && inference == other.inference &&
        deterministic == other.deterministic;
  }

  // Whether something looks at every call: then nothing may be replayed.
  bool is_watched() const {
    const c10::DispatchKeySet watchers({
        c10::DispatchKey::Python,
        c10::DispatchKey::PythonTLSSnapshot,
        c10::DispatchKey::FuncTorchDynamicLayerFrontMode,
        c10::DispatchKey::FuncTorchDynamicLayerBackMode,
    });
    return (c10::DispatchKeySet(c10::DispatchKeySet::RAW, included) & watchers).raw_repr() != 0;
  }
};

}  // namespace gpuos
