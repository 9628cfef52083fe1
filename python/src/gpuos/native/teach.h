// The function by which _native.py shows tensors to a module, before anything else.
#pragma once

#include "objects.h"

namespace gpuos {

// learn(halves, hooks, Tensor, Parameter): where the parts of tensors lie in their Python objects.
inline PyObject* learn(PyObject*, PyObject* arguments) {
  PyObject *halves, *hooks, *tensor, *parameter;
  if (!PyArg_ParseTuple(arguments, "OOOO", &halves, &hooks, &tensor, &parameter)) {
    return nullptr;
  }
  try {
    TensorLayout::learn(halves, hooks, reinterpret_cast<PyTypeObject*>(tensor),
                        reinterpret_cast<PyTypeObject*>(parameter));
    Py_RETURN_NONE;
  } catch (const PythonError&) {
    return nullptr;
  }
}

}  // namespace gpuos
