// Python objects as C++ sees them: references, and tensors inside of their Python objects.
#pragma once

#include <Python.h>

#include <ATen/core/TensorBase.h>

// Exported by libtorch_python in one of these forms, by version. Declared here because its header
// takes half a minute to compile.
__attribute__((weak, visibility("default"))) PyObject* THPVariable_Wrap(
    const at::TensorBase& tensor);
__attribute__((weak, visibility("default"))) PyObject* THPVariable_Wrap(at::TensorBase tensor);

namespace gpuos {

// A reference that is owned.
class Reference {
 public:
  Reference() = default;
  explicit Reference(PyObject* owned) : object_(owned) {}
  Reference(Reference&& other) noexcept : object_(other.release()) {}
  Reference& operator=(Reference&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Reference() { Py_XDECREF(object_); }

  static Reference to(PyObject* borrowed) {
    Py_XINCREF(borrowed);
    return Reference(borrowed);
  }

  PyObject* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

  PyObject* release() {
    PyObject* object = object_;
    object_ = nullptr;
    return object;
  }

 private:
  PyObject* object_ = nullptr;
};

// The Python error indicator is set.
struct PythonError {};

inline PyObject* require(PyObject* object) {
  if (object == nullptr) {
    throw PythonError();
  }
  return object;
}

inline int64_t number(PyObject* object) {
  const int64_t value = PyLong_AsLongLong(require(object));
  if (value == -1 && PyErr_Occurred()) {
    throw PythonError();
  }
  return value;
}

using WrapByReference = PyObject* (*)(const at::TensorBase&);
using WrapByValue = PyObject* (*)(at::TensorBase);

// Null where this version of PyTorch has the other form.
inline WrapByReference by_reference() { return static_cast<WrapByReference>(&THPVariable_Wrap); }
inline WrapByValue by_value() { return static_cast<WrapByValue>(&THPVariable_Wrap); }

// Where a tensor's C++ half and its hooks lie in its Python object, in bytes. The structure differs
// between versions of PyTorch, so the places are found by looking at tensors whose halves are known.
class TensorLayout {
 public:
  // The C++ half; it is the object's own, and may become another one (torch.utils.swap_tensors).
  static const at::TensorBase& half(PyObject* tensor) {
    static_assert(sizeof(at::TensorBase) == sizeof(void*));
    return *reinterpret_cast<at::TensorBase*>(reinterpret_cast<char*>(tensor) + half_);
  }

  static c10::TensorImpl* implementation(PyObject* tensor) {
    return half(tensor).unsafeGetTensorImpl();
  }

  static bool has_hooks(PyObject* tensor) {
    PyObject* hooks = *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(tensor) + hooks_);
    return hooks != nullptr && hooks != Py_None && PyObject_IsTrue(hooks) == 1;
  }

  static bool is_tensor(PyObject* object) {
    return Py_TYPE(object) == tensor_ || Py_TYPE(object) == parameter_;
  }

  // Takes pairs of a tensor and the address of its C++ half, and pairs of one and its hooks.
  static void learn(PyObject* halves, PyObject* hooks, PyTypeObject* tensor, PyTypeObject* parameter) {
    if (by_reference() == nullptr && by_value() == nullptr) {
      PyErr_SetString(PyExc_RuntimeError, "THPVariable_Wrap of PyTorch has an unknown form");
      throw PythonError();
    }
    half_ = find(halves, [](PyObject* known) { return static_cast<intptr_t>(number(known)); });
    hooks_ = find(hooks, [](PyObject* known) { return reinterpret_cast<intptr_t>(known); });
    Py_INCREF(tensor);
    Py_INCREF(parameter);
    tensor_ = tensor;
    parameter_ = parameter;
  }

 private:
  template <typename Known>
  static Py_ssize_t find(PyObject* pairs, Known known) {
    const Py_ssize_t count = PySequence_Size(pairs);
    const Py_ssize_t word = sizeof(void*);
    for (Py_ssize_t at = sizeof(PyObject); count > 0; at += word) {
      bool found = true;
      for (Py_ssize_t k = 0; k < count && found; k++) {
        Reference pair(require(PySequence_GetItem(pairs, k)));
        PyObject* tensor = require(PyTuple_GetItem(pair.get(), 0));
        if (at + word > Py_TYPE(tensor)->tp_basicsize) {
          PyErr_SetString(PyExc_RuntimeError, "a tensor's Python object has an unknown structure");
          throw PythonError();
        }
        const intptr_t held = *reinterpret_cast<intptr_t*>(reinterpret_cast<char*>(tensor) + at);
        found = held == known(PyTuple_GetItem(pair.get(), 1));
      }
      if (found) {
        return at;
      }
    }
    PyErr_SetString(PyExc_ValueError, "no tensors to learn from");
    throw PythonError();
  }

  static inline Py_ssize_t half_ = 0;
  static inline Py_ssize_t hooks_ = 0;
  static inline PyTypeObject* tensor_ = nullptr;
  static inline PyTypeObject* parameter_ = nullptr;
};

// The Python object of a tensor, a new reference.
inline PyObject* wrap(const at::TensorBase& tensor) {
  return by_reference() != nullptr ? by_reference()(tensor) : by_value()(tensor);
}

// Objects that a plan refers to. The one list of them is what the collector of cycles sees; all
// other pointers to them are borrowed.
class Kept {
 public:
  Kept() : list_(require(PyList_New(0))) {}

  PyObject* operator()(PyObject* object) {
    if (PyList_Append(list_.get(), require(object)) < 0) {
      throw PythonError();
    }
    return object;
  }

  PyObject* list() const { return list_.get(); }
  void clear() { list_ = Reference(); }

 private:
  Reference list_;
};

}  // namespace gpuos
