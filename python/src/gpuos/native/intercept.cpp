// The module of scopes. Calls are noted without the GIL; what Python calls is under it.

#include <pthread.h>

#include "scope.h"
#include "teach.h"

namespace gpuos {
namespace {

PyMethodDef functions[] = {
    {"learn", learn, METH_VARARGS, "learn(halves, hooks, Tensor, Parameter)"},
    {"install", install, METH_NOARGS, "install(): registers what scopes need, once"},
    {"passes", passes, METH_NOARGS, "passes(): whether calls of this thread go to PyTorch unseen"},
    {"pass_unseen", pass_unseen, METH_O,
     "pass_unseen(flag): whether calls of this thread go to PyTorch unseen; gives what was before"},
    {},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "gpuos_intercept",
    "Scopes whose calls are seen at PyTorch's dispatcher.",
    -1,
    functions,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
};

}  // namespace
}  // namespace gpuos

PyMODINIT_FUNC PyInit_gpuos_intercept() {
  pthread_atfork(nullptr, nullptr, [] { gpuos::generation++; });
  gpuos::Reference module(PyModule_Create(&gpuos::definition));
  gpuos::Reference scope(PyType_FromSpec(&gpuos::scope_type));
  if (!module || !scope || PyModule_AddObjectRef(module.get(), "Scope", scope.get()) < 0) {
    return nullptr;
  }
  return module.release();
}
