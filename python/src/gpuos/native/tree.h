// Nested arguments that are matched, and nested results that are built.
#pragma once

#include <algorithm>
#include <vector>

#include "form.h"
#include "objects.h"

namespace gpuos {

using Leaves = c10::SmallVector<PyObject*, 32>;

// Whether a value is old, or a scalar of the same type and text: -0.0 is not 0.0, and nan is nan.
inline bool same_scalar(PyObject* value, PyObject* old) {
  if (Py_TYPE(value) != Py_TYPE(old)) {
    return false;
  }
  if (PyFloat_CheckExact(old)) {
    const double one = PyFloat_AS_DOUBLE(value);
    const double other = PyFloat_AS_DOUBLE(old);
    return std::memcmp(&one, &other, sizeof one) == 0 || (one != one && other != other);
  }
  if (PyLong_CheckExact(old) || PyUnicode_CheckExact(old) || PyBytes_CheckExact(old)) {
    const int same = PyObject_RichCompareBool(value, old, Py_EQ);
    return same > 0;
  }
  if (!PyComplex_CheckExact(old)) {
    return false;  // of a type of one's own: its text may say anything
  }
  Reference one(PyObject_Repr(value));
  Reference other(PyObject_Repr(old));
  return one && other && PyObject_RichCompareBool(one.get(), other.get(), Py_EQ) > 0;
}

inline bool same_value(PyObject* value, PyObject* old) {
  return value == old || same_scalar(value, old);
}

// A structure of exact tuples, lists and dictionaries, in the order in which pytree flattens it.
class Tree {
 public:
  // Collects the leaves of an example. `keep` is given what the tree refers to.
  Tree(PyObject* example, Kept& keep, Leaves& leaves) { add(example, keep, leaves); }

  // Collects the leaves of a value of this structure; false if it has another one. Leaves that are
  // no tensors must be the same, tensors only of the same type.
  bool match(PyObject* value, Leaves& leaves) const {
    size_t at = 0;
    return match(at, value, leaves);
  }

  // Whether another thread can change the structure of a value that was matched.
  bool is_mutable() const {
    return std::any_of(nodes_.begin(), nodes_.end(), [](const Node& node) {
      return node.kind == Kind::kList || node.kind == Kind::kDict;
    });
  }

  // Builds the structure around other leaves, a new reference.
  PyObject* build(PyObject* const* leaves) const {
    size_t at = 0;
    return build(at, leaves).release();
  }

 private:
  enum class Kind : uint8_t { kTuple, kList, kDict, kTensor, kOther };

  // `object` is a dictionary's keys, a tensor's type, or another leaf itself.
  struct Node {
    Kind kind;
    Py_ssize_t size;
    PyObject* object;
  };

  void add(PyObject* value, Kept& keep, Leaves& leaves) {
    if (PyTuple_CheckExact(value) || PyList_CheckExact(value)) {
      const Py_ssize_t size = Py_SIZE(value);
      nodes_.push_back({PyTuple_CheckExact(value) ? Kind::kTuple : Kind::kList, size, nullptr});
      for (Py_ssize_t k = 0; k < size; k++) {
        add(PySequence_Fast_GET_ITEM(value, k), keep, leaves);
      }
    } else if (PyDict_CheckExact(value)) {
      Reference keys(require(PyDict_Keys(value)));
      nodes_.push_back({Kind::kDict, PyDict_GET_SIZE(value), keep(keys.get())});
      for (Py_ssize_t k = 0; k < PyList_GET_SIZE(keys.get()); k++) {
        add(require(PyDict_GetItemWithError(value, PyList_GET_ITEM(keys.get(), k))), keep, leaves);
      }
    } else {
      const bool tensor = TensorLayout::is_tensor(value);
      PyObject* object = tensor ? reinterpret_cast<PyObject*>(Py_TYPE(value)) : value;
      nodes_.push_back({tensor ? Kind::kTensor : Kind::kOther, 0, keep(object)});
      leaves.push_back(value);
    }
  }

  bool match(size_t& at, PyObject* value, Leaves& leaves) const {
    const Node& node = nodes_[at++];
    switch (node.kind) {
      case Kind::kTensor:
        leaves.push_back(value);
        return reinterpret_cast<PyObject*>(Py_TYPE(value)) == node.object;
      case Kind::kOther:
        leaves.push_back(value);
        return same_value(value, node.object);
      case Kind::kDict:
        return PyDict_CheckExact(value) && match_dict(at, node, value, leaves);
      case Kind::kTuple:
      case Kind::kList:
        if (node.kind == Kind::kTuple ? !PyTuple_CheckExact(value) : !PyList_CheckExact(value)) {
          return false;
        }
        for (Py_ssize_t k = 0; k < node.size; k++) {
          // Asked anew each time: comparing a scalar may run Python.
          if (Py_SIZE(value) != node.size ||
              !match(at, PySequence_Fast_GET_ITEM(value, k), leaves)) {
            return false;
          }
        }
        return Py_SIZE(value) == node.size;
    }
    return false;
  }

  bool match_dict(size_t& at, const Node& node, PyObject* dict, Leaves& leaves) const {
    if (PyDict_GET_SIZE(dict) != node.size) {
      return false;
    }
    Py_ssize_t position = 0;
    PyObject *key, *value;
    for (Py_ssize_t k = 0; k < node.size; k++) {
      PyObject* old = PyList_GET_ITEM(node.object, k);
      if (!PyDict_Next(dict, &position, &key, &value) || !same_value(key, old) ||
          !match(at, value, leaves)) {
        return false;
      }
    }
    return true;
  }

  Reference build(size_t& at, PyObject* const*& leaves) const {
    const Node& node = nodes_[at++];
    if (node.kind == Kind::kTensor || node.kind == Kind::kOther) {
      return Reference::to(*leaves++);
    }
    if (node.kind == Kind::kDict) {
      Reference dict(require(PyDict_New()));
      for (Py_ssize_t k = 0; k < node.size; k++) {
        Reference value = build(at, leaves);
        if (PyDict_SetItem(dict.get(), PyList_GET_ITEM(node.object, k), value.get()) < 0) {
          throw PythonError();
        }
      }
      return dict;
    }
    const bool tuple = node.kind == Kind::kTuple;
    Reference items(require(tuple ? PyTuple_New(node.size) : PyList_New(node.size)));
    for (Py_ssize_t k = 0; k < node.size; k++) {
      PyObject* item = build(at, leaves).release();
      if (tuple) {
        PyTuple_SET_ITEM(items.get(), k, item);
      } else {
        PyList_SET_ITEM(items.get(), k, item);
      }
    }
    return items;
  }

  std::vector<Node> nodes_;
};

}  // namespace gpuos
