// What a function can see besides its arguments, checked link by link; recorded by state.py.
#pragma once

#include <algorithm>
#include <vector>

#include "form.h"
#include "objects.h"
#include "tree.h"

namespace gpuos {

// Dictionaries of Python up to 3.11 have a version that changes whenever they do.
inline uint64_t version_of(PyObject* dict) {
#if PY_VERSION_HEX < 0x030C0000
  return reinterpret_cast<PyDictObject*>(dict)->ma_version_tag;
#else
  (void)dict;
  return 0;
#endif
}

// One tensor that the function can reach, and what it was when recorded.
class Held {
 public:
  explicit Held(PyObject* tensor)
      : object(tensor),
        storage(storage_of(TensorLayout::implementation(tensor))),
        form_(TensorLayout::implementation(tensor)),
        history_(has_history(TensorLayout::half(tensor))),
        hooks_(TensorLayout::has_hooks(tensor)) {}

  bool holds() const {
    const c10::TensorImpl* now = TensorLayout::implementation(object);
    return form_.fits(now, false) && storage_of(now) == storage &&
        has_history(TensorLayout::half(object)) == history_ &&
        TensorLayout::has_hooks(object) == hooks_;
  }

  PyObject* const object;
  c10::StorageImpl* const storage;

 private:
  Form form_;
  bool history_;
  bool hooks_;
};

class Snapshot {
 public:
  // Takes state.py's triples of kind, container and what it holds, its tensors, and its comparison
  // of one link, which is asked about containers whose order or keys only Python knows.
  Snapshot(PyObject* links, PyObject* tensors, PyObject* same, Kept& keep) : same_(keep(same)) {
    keep(links);
    keep(tensors);
    for (Py_ssize_t k = 0; k < PyList_Size(links); k++) {
      add(PyList_GET_ITEM(links, k));
    }
    for (Py_ssize_t k = 0; k < PyList_Size(tensors); k++) {
      held.emplace_back(PyList_GET_ITEM(tensors, k));
    }
  }

  // Whether everything is as it was, gradients aside.
  bool holds() {
    for (Link& link : links_) {
      if (!holds(link)) {
        return false;
      }
    }
    for (const Held& tensor : held) {
      if (!tensor.holds()) {
        return false;
      }
    }
    return true;
  }

  std::vector<Held> held;

 private:
  enum class Kind : uint8_t { kCell, kGlobal, kDict, kList, kSet, kEmpty, kClass, kOther };

  // `container` holds `size` pairs (a dictionary) or values, which begin at `from` in `values_`.
  struct Link {
    Kind kind;
    PyObject* container;
    size_t from;
    Py_ssize_t size;
    uint64_t version;
    PyObject* triple;
  };

  void add(PyObject* triple) {
    PyObject* container = PyTuple_GetItem(triple, 1);
    PyObject* values = PyTuple_GetItem(triple, 2);
    const char* kind = PyUnicode_AsUTF8(require(PyTuple_GetItem(triple, 0)));
    Link link{Kind::kOther, container, values_.size(), 0, 0, triple};
    if (std::strcmp(kind, "cell") == 0 && PyCell_Check(container)) {
      link.kind = Kind::kCell;
      values_.push_back(values);
    } else if (std::strcmp(kind, "global") == 0 && PyTuple_CheckExact(container)) {
      link.kind = Kind::kGlobal;
      link.container = PyTuple_GET_ITEM(container, 0);
      values_.push_back(PyTuple_GET_ITEM(container, 1));
      values_.push_back(values);
    } else if (std::strcmp(kind, "class") == 0 && PyType_Check(container)) {
      link.kind = Kind::kClass;
    } else if (std::strcmp(kind, "dict") == 0) {
      add_dict(link, values);
    } else if (PyTuple_CheckExact(container) || PyFrozenSet_CheckExact(container)) {
      return;  // cannot change
    } else if (PyList_CheckExact(container)) {
      link.kind = Kind::kList;
      add_items(link, values);
    } else if (PySet_CheckExact(container) && has_plain(values, [](PyObject* o) { return o; })) {
      link.kind = Kind::kSet;
      add_items(link, values);
    }
    links_.push_back(link);
  }

  void add_items(Link& link, PyObject* values) {
    link.size = PyList_Size(values);
    for (Py_ssize_t k = 0; k < link.size; k++) {
      values_.push_back(PyList_GET_ITEM(values, k));
    }
  }

  void add_dict(Link& link, PyObject* items) {
    const Py_ssize_t size = PyList_Size(items);
    if (size == 0 && PyDict_Check(link.container)) {
      link.kind = Kind::kEmpty;
    } else if (is_plain(link.container) && has_plain(items, [](PyObject* pair) { return PyTuple_GET_ITEM(pair, 0); })) {
      link.kind = Kind::kDict;
      link.size = size;
      for (Py_ssize_t k = 0; k < size; k++) {
        values_.push_back(PyTuple_GET_ITEM(PyList_GET_ITEM(items, k), 0));
        values_.push_back(PyTuple_GET_ITEM(PyList_GET_ITEM(items, k), 1));
      }
    }
  }

  // Whether the order of a dictionary is that of its own table.
  static bool is_plain(PyObject* dict) {
    return PyDict_CheckExact(dict) ||
        (PyDict_Check(dict) && std::strcmp(Py_TYPE(dict)->tp_name, "collections.defaultdict") == 0);
  }

  // Whether comparing keys does not run Python.
  template <typename Key>
  static bool has_plain(PyObject* items, Key key_of) {
    for (Py_ssize_t k = 0; k < PyList_GET_SIZE(items); k++) {
      PyObject* key = key_of(PyList_GET_ITEM(items, k));
      if (!PyUnicode_CheckExact(key) && !PyLong_CheckExact(key) && !TensorLayout::is_tensor(key)) {
        return false;
      }
    }
    return true;
  }

  bool holds(Link& link) {
    PyObject* const* values = values_.data() + link.from;
    switch (link.kind) {
      case Kind::kEmpty:
        return PyDict_GET_SIZE(link.container) == 0;
      case Kind::kDict:
        return holds_dict(link, values);
      case Kind::kList:
        for (Py_ssize_t k = 0; k < link.size; k++) {
          if (PyList_GET_SIZE(link.container) != link.size ||
              !same_value(PyList_GET_ITEM(link.container, k), values[k])) {
            return false;
          }
        }
        return PyList_GET_SIZE(link.container) == link.size;
      case Kind::kSet:
        return PySet_GET_SIZE(link.container) == link.size &&
            std::all_of(values, values + link.size, [&link](PyObject* item) {
                 return PySet_Contains(link.container, item) == 1;
               });
      case Kind::kCell: {
        PyObject* content = PyCell_GET(link.container);
        return content != nullptr ? same_value(content, values[0]) : asked(link);
      }
      case Kind::kGlobal: {
        PyObject* value = PyDict_GetItemWithError(link.container, values[0]);
        return value != nullptr && same_value(value, values[1]);
      }
      case Kind::kClass:
        return holds_class(link);
      case Kind::kOther:
        return asked(link);
    }
    return false;
  }

  // Python gives a class another number when an attribute of it or of a base changes; 0 is none.
  bool holds_class(Link& link) const {
    const auto* type = reinterpret_cast<PyTypeObject*>(link.container);
    if (type->tp_version_tag != 0 && type->tp_version_tag == link.version) {
      return true;
    }
    if (!asked(link)) {
      return false;
    }
    link.version = type->tp_version_tag;
    return true;
  }

  bool holds_dict(Link& link, PyObject* const* values) {
    const uint64_t version = version_of(link.container);
    if (version != 0 && version == link.version) {
      return true;
    }
    if (PyDict_GET_SIZE(link.container) != link.size) {
      return false;
    }
    Py_ssize_t position = 0;
    PyObject *key, *value;
    for (Py_ssize_t k = 0; k < link.size; k++, values += 2) {
      if (!PyDict_Next(link.container, &position, &key, &value) ||
          !(key == values[0] || same_scalar(key, values[0])) || !same_value(value, values[1])) {
        return false;
      }
    }
    link.version = version;
    return true;
  }

  bool asked(const Link& link) const {
    Reference answer(PyObject_Call(same_, link.triple, nullptr));
    return answer && PyObject_IsTrue(answer.get()) == 1;
  }

  PyObject* same_;
  std::vector<Link> links_;
  std::vector<PyObject*> values_;
};

}  // namespace gpuos
