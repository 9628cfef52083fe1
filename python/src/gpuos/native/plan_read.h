// How a plan is read from what fast.py tells of an entry, a dictionary.
#pragma once

#include "plan.h"

namespace gpuos {

inline void unsuitable(const char* why) {
  PyErr_SetString(PyExc_ValueError, why);
  throw PythonError();
}

inline Plan::Plan(PyObject* told) : surroundings_(Surroundings::now()) {
  if (surroundings_.is_watched()) {
    unsuitable("something looks at every call");
  }
  read_tensors(told);
  read_sources(told);
  read_memory(told);
  read_results(told);
  recorded_.clear();
  program_ = number(field(told, "program"));
  replay_ = reinterpret_cast<decltype(replay_)>(number(field(told, "replay")));
  device_ = TensorLayout::implementation(field(told, "device"))->device();
  stream_of_ = kept(field(told, "stream"));
  fail_ = kept(field(told, "fail"));
  unflatten_ = kept(field(told, "unflatten"));
  kept(field(told, "entry"));
}

inline void Plan::read_tensors(PyObject* told) {
  Leaves leaves;
  positional_ = std::make_unique<Tree>(field(told, "args"), kept, leaves);
  keywords_ = std::make_unique<Tree>(field(told, "kwargs"), kept, leaves);
  named_ = PyDict_Size(field(told, "kwargs"));
  is_mutable_ = positional_->is_mutable() || named_ != 0;
  PyObject* known = field(told, "leaves");
  if (PyList_Size(known) != static_cast<Py_ssize_t>(leaves.size())) {
    unsuitable("arguments of a structure that only Python knows");
  }
  Leaves tensors;
  for (size_t k = 0; k < leaves.size(); k++) {
    if (PyList_GET_ITEM(known, k) != leaves[k]) {
      unsuitable("arguments of a structure that only Python knows");
    }
    if (TensorLayout::is_tensor(leaves[k])) {
      tensor_leaves_.push_back(k);
      forms_.emplace_back(TensorLayout::implementation(leaves[k]));
      tensors.push_back(leaves[k]);
    }
  }
  snapshot_ = std::make_unique<Snapshot>(
      field(told, "links"), field(told, "tensors"), field(told, "same"), kept);
  aliases_ = std::make_unique<Aliases>(tensors, snapshot_->held);
  recorded_.assign(tensors.begin(), tensors.end());
  for (const Held& held : snapshot_->held) {
    recorded_.push_back(held.object);
  }
  PyObject* watched = field(told, "watched");
  PyObject* forms = field(told, "gradients");
  for (Py_ssize_t k = 0; k < PyList_Size(watched); k++) {
    watched_.push_back(index_of(PyList_GET_ITEM(watched, k)));
    gradient_forms_.emplace_back(require(PyList_GetItem(forms, k)));
  }
}

inline size_t Plan::index_of(PyObject* tensor) const {
  const auto found = std::find(recorded_.begin(), recorded_.end(), tensor);
  if (found == recorded_.end()) {
    unsuitable("a tensor that is neither an argument nor held");
  }
  return found - recorded_.begin();
}

inline void Plan::read_sources(PyObject* told) {
  PyObject* sources = field(told, "sources");
  for (Py_ssize_t k = 0; k < PyList_Size(sources); k++) {
    PyObject* source = PyList_GET_ITEM(sources, k);
    const std::string kind = PyUnicode_AsUTF8(require(PyTuple_GetItem(source, 1)));
    PyObject* what = require(PyTuple_GetItem(source, 2));
    Source read{number(PyTuple_GetItem(source, 0)), From::kTensor, 0};
    if (kind == "constant") {
      read.from = From::kConstant;
      read.index = constants_.size();
      constants_.push_back(TensorLayout::implementation(what)->storage());
    } else if (kind == "grad") {
      read.from = From::kGradient;
      read.index = number(what);
      if (gradient_forms_.at(read.index).type == nullptr) {
        unsuitable("a gradient that is not there before the call");
      }
    } else {
      read.index = index_of(what);
    }
    sources_.push_back(read);
  }
}

inline void Plan::read_memory(PyObject* told) {
  PyObject* allocations = field(told, "allocations");
  for (Py_ssize_t k = 0; k < PyList_Size(allocations); k++) {
    PyObject* one = PyList_GET_ITEM(allocations, k);
    PyObject* example = require(PyTuple_GetItem(one, 2));
    const c10::Storage& like = TensorLayout::implementation(example)->storage();
    if (like.allocator() == nullptr) {
      unsuitable("memory of an unknown allocator");
    }
    const bool stays = PyTuple_GetItem(one, 3) == Py_True;
    allocations_.push_back({
        number(PyTuple_GetItem(one, 0)),
        static_cast<size_t>(number(PyTuple_GetItem(one, 1))),
        like.device(),
        like.allocator(),
        stays ? like : c10::Storage(),
    });
  }
  const auto source = [this](int64_t storage) {
    return std::find_if(sources_.begin(), sources_.end(), [storage](const Source& one) {
      return one.storage == storage;
    });
  };
  PyObject* touched = field(told, "touched");
  for (Py_ssize_t k = 0; k < PyList_Size(touched); k++) {
    const auto found = source(number(PyList_GET_ITEM(touched, k)));
    if (found == sources_.end() || found->from == From::kConstant) {
      unsuitable("written memory that is neither an argument's nor held");
    }
    touched_.push_back(found - sources_.begin());
  }
  PyObject* addressed = field(told, "addressed");
  for (Py_ssize_t k = 0; k < PyList_Size(addressed); k++) {
    const int64_t storage = number(PyList_GET_ITEM(addressed, k));
    const auto found = source(storage);
    if (found != sources_.end()) {
      words_.emplace_back(false, found - sources_.begin());
      continue;
    }
    const auto made = std::find_if(
        allocations_.begin(), allocations_.end(),
        [storage](const Allocation& one) { return one.storage == storage; });
    if (made == allocations_.end()) {
      unsuitable("memory that is neither from outside nor allocated");
    }
    words_.emplace_back(true, made - allocations_.begin());
  }
}

inline void Plan::read_results(PyObject* told) {
  PyObject* effects = field(told, "effects");
  for (Py_ssize_t k = 0; k < PyList_Size(effects); k++) {
    PyObject* effect = PyList_GET_ITEM(effects, k);
    effects_.emplace_back(
        number(PyTuple_GetItem(effect, 0)), Place(require(PyTuple_GetItem(effect, 1))));
  }
  PyObject* results = field(told, "results");
  for (Py_ssize_t k = 0; k < PyList_Size(results); k++) {
    PyObject* result = PyList_GET_ITEM(results, k);
    const std::string kind = PyUnicode_AsUTF8(require(PyTuple_GetItem(result, 0)));
    PyObject* what = require(PyTuple_GetItem(result, 1));
    if (kind == "place") {
      outputs_.push_back({Result::kPlace, places_.size(), nullptr});
      places_.emplace_back(what);
    } else if (kind == "argument" || kind == "same" || kind == "effect") {
      const Result which = kind == "argument" ? Result::kLeaf
          : kind == "same"                    ? Result::kSame
                                              : Result::kEffect;
      outputs_.push_back({which, static_cast<size_t>(number(what)), nullptr});
    } else {
      outputs_.push_back({Result::kValue, 0, kept(what)});
    }
  }
  Leaves leaves;
  result_tree_ = std::make_unique<Tree>(field(told, "example"), kept, leaves);
  if (leaves.size() != outputs_.size()) {
    result_tree_ = nullptr;
    return;
  }
  PyObject* flat = field(told, "flat");
  for (size_t k = 0; k < leaves.size(); k++) {
    if (PyList_GetItem(flat, k) != leaves[k]) {
      result_tree_ = nullptr;
      return;
    }
  }
}

}  // namespace gpuos
