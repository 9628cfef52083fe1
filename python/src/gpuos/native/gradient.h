// Gradients that tensors have before a call.
#pragma once

#include "form.h"

namespace gpuos {

// The place of a tensor's gradient. A Tensor is a TensorBase and no more; its header is a large one.
inline at::TensorBase& gradient_of(const at::TensorBase& tensor) {
  return reinterpret_cast<at::TensorBase&>(tensor.unsafeGetTensorImpl()->mutable_grad());
}

// What must not change of a gradient that is there before a call.
struct GradientForm {
  PyTypeObject* type = nullptr;  // null for no gradient
  caffe2::TypeMeta dtype;
  int64_t offset = 0;
  c10::SmallVector<int64_t, 6> sizes;
  c10::SmallVector<int64_t, 6> strides;
  bool gradients = false;
  bool history = false;
  bool hooks = false;

  // Takes None, or what entry.py's _form gives with an example of the dtype in its place.
  explicit GradientForm(PyObject* told) {
    if (told == Py_None) {
      return;
    }
    type = reinterpret_cast<PyTypeObject*>(require(PyTuple_GetItem(told, 0)));
    dtype = TensorLayout::implementation(require(PyTuple_GetItem(told, 1)))->dtype();
    offset = number(PyTuple_GetItem(told, 2));
    read_numbers(PyTuple_GetItem(told, 3), sizes);
    read_numbers(PyTuple_GetItem(told, 4), strides);
    gradients = PyTuple_GetItem(told, 5) == Py_True;
    history = PyTuple_GetItem(told, 6) != Py_True;
    hooks = PyTuple_GetItem(told, 7) == Py_True;
  }

  bool fits(const at::TensorBase& gradient) const {
    if (!gradient.defined() || type == nullptr) {
      return !gradient.defined() && type == nullptr;
    }
    const c10::TensorImpl* now = gradient.unsafeGetTensorImpl();
    if (now->layout() != c10::kStrided || now->dtype() != dtype ||
        now->storage_offset() != offset || now->sizes() != c10::IntArrayRef(sizes) ||
        now->strides() != c10::IntArrayRef(strides) || now->requires_grad() != gradients ||
        now->is_neg() || has_history(gradient) != history) {
      return false;
    }
    Reference object(require(wrap(gradient)));
    return Py_TYPE(object.get()) == type && TensorLayout::has_hooks(object.get()) == hooks;
  }
};

}  // namespace gpuos
