// One recorded entry that is one native program: guards, addresses, the call, results.
#pragma once

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <memory>

#include "aliases.h"
#include "gradient.h"
#include "snapshot.h"
#include "surroundings.h"
#include "tree.h"

namespace gpuos {

// A field of what fast.py tells.
inline PyObject* field(PyObject* told, const char* name) {
  PyObject* value = PyDict_GetItemString(told, name);
  if (value == nullptr) {
    PyErr_SetString(PyExc_KeyError, name);
    throw PythonError();
  }
  return value;
}

class Plan {
 public:
  // Refers to what it is told; `kept` lists it. Raises where it cannot serve the entry.
  explicit Plan(PyObject* told);

  // What one call found, before it runs.
  struct Live {
    Leaves leaves;
    Leaves tensors;
    Storages storages;
    // Address and size in bytes of each source.
    c10::SmallVector<std::pair<uintptr_t, size_t>, 32> ranges;
  };

  // Whether a call may be replayed. Does nothing else.
  bool fits(PyObject* args, PyObject* kwargs, const Surroundings& now, Live& live);

  // Replays, with the GIL released, and gives the results, a new reference; null if there is no
  // memory for them, and nothing was done.
  PyObject* run(Live& live);

  Kept kept;

 private:
  enum class From : uint8_t { kTensor, kGradient, kConstant };
  enum class Result : uint8_t { kValue, kLeaf, kSame, kEffect, kPlace };

  // `index` counts tensors of arguments, then held ones; or watched ones; or constants.
  struct Source {
    int64_t storage;
    From from;
    size_t index;
  };

  struct Allocation {
    int64_t storage;
    size_t bytes;
    c10::Device device;
    c10::Allocator* allocator;
    c10::Storage constant;
  };

  struct Output {
    Result kind;
    size_t index;
    PyObject* value;
  };

  void read_tensors(PyObject* told);
  void read_sources(PyObject* told);
  void read_memory(PyObject* told);
  void read_results(PyObject* told);
  size_t index_of(PyObject* tensor) const;

  PyObject* tensor(const Live& live, size_t k) const {
    return k < live.tensors.size() ? live.tensors[k] : snapshot_->held[k - live.tensors.size()].object;
  }

  const at::TensorBase& gradient(const Live& live, size_t watched) const;
  bool gradients_fit(const Live& live) const;
  void find_sources(Live& live) const;
  bool are_free(const Live& live) const;
  bool are_apart(const Live& live);
  int64_t stream();
  bool allocate(c10::SmallVector<c10::Storage, 8>& made) const;
  void call(const Live& live, const c10::SmallVector<c10::Storage, 8>& made);
  void mark_written(const Live& live) const;
  PyObject* results(const Live& live, const c10::SmallVector<c10::Storage, 8>& made,
                    const std::vector<at::TensorBase>& effects) const;

  Surroundings surroundings_;
  std::unique_ptr<Tree> positional_;
  std::unique_ptr<Tree> keywords_;
  size_t named_;
  bool is_mutable_;
  // Which leaves are tensors, and their forms.
  std::vector<size_t> tensor_leaves_;
  std::vector<Form> forms_;
  std::unique_ptr<Snapshot> snapshot_;
  std::unique_ptr<Aliases> aliases_;
  // Tensors of the recorded call: of arguments, then held ones. Only while this is made.
  std::vector<PyObject*> recorded_;
  std::vector<size_t> watched_;
  std::vector<GradientForm> gradient_forms_;
  std::vector<Source> sources_;
  std::vector<size_t> touched_;
  std::vector<c10::Storage> constants_;
  std::vector<Allocation> allocations_;
  // For each address of a replay whether it is of an allocation, and of which, or of which source.
  std::vector<std::pair<bool, size_t>> words_;
  std::vector<std::pair<size_t, Place>> effects_;
  std::vector<Output> outputs_;
  std::vector<Place> places_;
  std::unique_ptr<Tree> result_tree_;
  // Ranges last found not to overlap.
  std::vector<std::pair<uintptr_t, size_t>> apart_;
  int64_t program_;
  int64_t (*replay_)(int64_t, int64_t, int64_t, int64_t);
  c10::Device device_{c10::DeviceType::CPU};
  PyObject* stream_of_;
  bool stream_known_ = false;
  c10::StreamId stream_ = 0;
  int64_t stream_number_ = 0;
  PyObject* fail_;
  PyObject* unflatten_;
};

// ---- guards

inline bool Plan::fits(PyObject* args, PyObject* kwargs, const Surroundings& now, Live& live) {
  if (!positional_->match(args, live.leaves)) {
    return false;
  }
  if (kwargs == nullptr ? named_ != 0 : !keywords_->match(kwargs, live.leaves)) {
    return false;
  }
  for (size_t k = 0; k < forms_.size(); k++) {
    PyObject* tensor = live.leaves[tensor_leaves_[k]];
    if (!forms_[k].fits(TensorLayout::implementation(tensor), true)) {
      return false;
    }
    live.tensors.push_back(tensor);
  }
  if (!(now == surroundings_) || !snapshot_->holds() ||
      !aliases_->match(live.tensors, live.storages) || !gradients_fit(live)) {
    return false;
  }
  find_sources(live);
  return are_free(live) && (touched_.empty() || are_apart(live));
}

inline const at::TensorBase& Plan::gradient(const Live& live, size_t watched) const {
  static const at::TensorBase none;
  const at::TensorBase& of = TensorLayout::half(tensor(live, watched_[watched]));
  if (of.unsafeGetTensorImpl()->autograd_meta() == nullptr) {
    return none;
  }
  const at::TensorBase& gradient = gradient_of(of);
  return gradient.defined() && of.is_leaf() ? gradient : none;
}

inline bool Plan::gradients_fit(const Live& live) const {
  for (size_t k = 0; k < watched_.size(); k++) {
    if (!gradient_forms_[k].fits(gradient(live, k))) {
      return false;
    }
  }
  return true;
}

inline void Plan::find_sources(Live& live) const {
  for (const Source& source : sources_) {
    c10::StorageImpl* storage;
    if (source.from == From::kConstant) {
      storage = constants_[source.index].unsafeGetStorageImpl();
    } else if (source.from == From::kGradient) {
      storage = storage_of(gradient(live, source.index).unsafeGetTensorImpl());
    } else if (source.index < live.storages.size()) {
      storage = live.storages[source.index];
    } else {
      storage = snapshot_->held[source.index - live.storages.size()].storage;
    }
    live.ranges.emplace_back(address_of(storage), storage->nbytes());
  }
}

// Whether no source is memory that the results of each replay are written to.
inline bool Plan::are_free(const Live& live) const {
  for (const Allocation& one : allocations_) {
    if (one.constant) {
      const auto address = reinterpret_cast<uintptr_t>(one.constant.data());
      for (const auto& [begin, bytes] : live.ranges) {
        if (bytes != 0 && begin < address + one.bytes && address < begin + bytes) {
          return false;
        }
      }
    }
  }
  return true;
}

// Storages were of their own when recorded: where one is written, they still must be.
inline bool Plan::are_apart(const Live& live) {
  if (std::equal(live.ranges.begin(), live.ranges.end(), apart_.begin(), apart_.end())) {
    return true;
  }
  auto ranges = live.ranges;
  std::sort(ranges.begin(), ranges.end());
  uintptr_t end = 0;
  for (const auto& [begin, bytes] : ranges) {
    if (bytes != 0 && begin < end) {
      return false;
    }
    end = bytes != 0 ? begin + bytes : end;
  }
  apart_.assign(live.ranges.begin(), live.ranges.end());
  return true;
}

// ---- replaying

inline PyObject* Plan::run(Live& live) {
  c10::SmallVector<c10::Storage, 8> made;
  if (!allocate(made)) {
    return nullptr;
  }
  // A list that holds an argument, or a tensor that holds a gradient, is the caller's: another
  // thread may change it while this one does not hold the GIL.
  std::vector<Reference> owned;
  if (is_mutable_) {
    for (PyObject* leaf : live.leaves) {
      owned.push_back(Reference::to(leaf));
    }
  }
  std::vector<at::TensorBase> gradients;
  for (const Source& source : sources_) {
    if (source.from == From::kGradient) {
      gradients.push_back(gradient(live, source.index));
    }
  }
  call(live, made);
  mark_written(live);
  std::vector<at::TensorBase> effects;
  for (const auto& [watched, place] : effects_) {
    effects.push_back(place.on(made[place.allocation]));
    const at::TensorBase& of = TensorLayout::half(tensor(live, watched_[watched]));
    gradient_of(of) = effects.back();
  }
  return results(live, made, effects);
}

inline bool Plan::allocate(c10::SmallVector<c10::Storage, 8>& made) const {
  try {
    for (const Allocation& one : allocations_) {
      if (one.constant) {
        made.push_back(one.constant);
      } else {
        const c10::OptionalDeviceGuard guard(
            one.device.is_cpu() ? std::nullopt : std::optional<c10::Device>(one.device));
        made.push_back(c10::Storage(
            c10::Storage::use_byte_size_t(), one.bytes, one.allocator->allocate(one.bytes),
            one.allocator, true));
      }
    }
    return true;
  } catch (const c10::Error&) {
    return false;  // Python allocates again, and raises what PyTorch raises
  }
}

inline void Plan::call(const Live& live, const c10::SmallVector<c10::Storage, 8>& made) {
  c10::SmallVector<int64_t, 32> words;
  for (const auto& [is_made, index] : words_) {
    words.push_back(static_cast<int64_t>(
        is_made ? address_of(made[index].unsafeGetStorageImpl()) : live.ranges[index].first));
  }
  const int64_t order = stream();
  int64_t error;
  Py_BEGIN_ALLOW_THREADS
  error = replay_(program_, reinterpret_cast<int64_t>(words.data()),
                  static_cast<int64_t>(words.size()), order);
  Py_END_ALLOW_THREADS
  if (error != 0) {
    Reference raised(PyObject_CallFunction(fail_, "L", static_cast<long long>(error)));
    if (raised) {
      PyErr_SetString(PyExc_RuntimeError, "gpuos: an error without a text");
    }
    throw PythonError();
  }
}

// The number that Python gives for the current stream: asked once for each stream, as one stream
// keeps its number.
inline int64_t Plan::stream() {
  if (stream_of_ == Py_None) {
    return 0;
  }
  const c10::impl::VirtualGuardImpl guard(device_.type());
  const c10::StreamId current = guard.getStream(device_).id();
  if (!stream_known_ || current != stream_) {
    stream_number_ = number(Reference(PyObject_CallNoArgs(stream_of_)).get());
    stream_ = current;
    stream_known_ = true;
  }
  return stream_number_;
}

// Autograd is to see that memory was written.
inline void Plan::mark_written(const Live& live) const {
  for (size_t k : touched_) {
    const Source& source = sources_[k];
    c10::TensorImpl* written = source.from == From::kGradient
        ? gradient(live, source.index).unsafeGetTensorImpl()
        : TensorLayout::implementation(tensor(live, source.index));
    if (!written->is_inference()) {
      written->bump_version();
    }
  }
}

inline PyObject* Plan::results(const Live& live, const c10::SmallVector<c10::Storage, 8>& made,
                               const std::vector<at::TensorBase>& effects) const {
  c10::SmallVector<Reference, 8> owned;
  c10::SmallVector<PyObject*, 8> values;
  for (const Output& output : outputs_) {
    switch (output.kind) {
      case Result::kValue:
        values.push_back(output.value);
        continue;
      case Result::kLeaf:
        values.push_back(live.leaves[output.index]);
        continue;
      case Result::kSame:
        values.push_back(values[output.index]);
        continue;
      case Result::kEffect:
        owned.emplace_back(require(wrap(effects[output.index])));
        break;
      case Result::kPlace: {
        const Place& place = places_[output.index];
        owned.emplace_back(require(wrap(place.on(made[place.allocation]))));
        break;
      }
    }
    values.push_back(owned.back().get());
  }
  if (result_tree_) {
    return result_tree_->build(values.data());
  }
  Reference list(require(PyList_New(values.size())));
  for (size_t k = 0; k < values.size(); k++) {
    PyList_SET_ITEM(list.get(), k, Reference::to(values[k]).release());
  }
  return require(PyObject_CallFunctionObjArgs(unflatten_, list.get(), nullptr));
}

}  // namespace gpuos
