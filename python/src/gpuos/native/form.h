// What is guarded of one tensor, and places at which tensors are made.
#pragma once

#include <c10/core/TensorImpl.h>
#include <c10/util/SmallVector.h>

#include <cstring>
#include <vector>

#include "objects.h"

namespace gpuos {

inline c10::StorageImpl* storage_of(const c10::TensorImpl* tensor) {
  return tensor->unsafe_storage().unsafeGetStorageImpl();
}

inline uintptr_t address_of(c10::StorageImpl* storage) {
  // May copy what is shared until it is written, as Tensor.data_ptr() does.
  return reinterpret_cast<uintptr_t>(storage->mutable_data());
}

// Memory, form and role of a tensor that has a strided layout.
class Form {
 public:
  static constexpr uintptr_t kAlignment = 16;

  explicit Form(const c10::TensorImpl* tensor)
      : keys_(keys(tensor)),
        offset_(tensor->storage_offset()),
        bytes_(storage_of(tensor)->nbytes()),
        residue_(address_of(storage_of(tensor)) % kAlignment),
        dtype_(tensor->dtype()),
        device_(tensor->device().index()),
        gradients_(tensor->requires_grad()) {
    const auto sizes = tensor->sizes();
    const auto strides = tensor->strides();
    dimensions_ = sizes.size();
    extents_.append(sizes.begin(), sizes.end());
    extents_.append(strides.begin(), strides.end());
  }

  // Whether a tensor has this form; of storages only size and alignment count.
  bool fits(const c10::TensorImpl* tensor, bool aligned) const {
    if (keys(tensor) != keys_ || tensor->dtype() != dtype_) {
      return false;
    }
    const auto sizes = tensor->sizes();
    if (sizes.size() != dimensions_ || !same(sizes, 0) || !same(tensor->strides(), dimensions_)) {
      return false;
    }
    c10::StorageImpl* storage = storage_of(tensor);
    return storage != nullptr && storage->nbytes() == bytes_ &&
        tensor->storage_offset() == offset_ && tensor->device().index() == device_ &&
        tensor->requires_grad() == gradients_ &&
        (!aligned || address_of(storage) % kAlignment == residue_);
  }

  // Device, layout, conjugation, negation; not what depends on inference mode.
  static uint64_t keys(const c10::TensorImpl* tensor) {
    return (tensor->key_set() - c10::autograd_dispatch_keyset_with_ADInplaceOrView).raw_repr();
  }

 private:
  bool same(c10::IntArrayRef found, size_t from) const {
    for (size_t k = 0; k < dimensions_; k++) {
      if (found[k] != extents_[from + k]) {
        return false;
      }
    }
    return true;
  }

  uint64_t keys_;
  int64_t offset_;
  size_t bytes_;
  uintptr_t residue_;
  caffe2::TypeMeta dtype_;
  c10::DeviceIndex device_;
  bool gradients_;
  size_t dimensions_;
  c10::SmallVector<int64_t, 8> extents_;
};

// Whether a gradient's function is there; a view finds a new one when its base was written.
inline bool has_history(const at::TensorBase& tensor) {
  return tensor.unsafeGetTensorImpl()->autograd_meta() != nullptr && !(tensor.grad_fn() == nullptr);
}

inline void read_numbers(PyObject* tuple, c10::SmallVector<int64_t, 6>& into) {
  const Py_ssize_t count = PyTuple_Size(require(tuple));
  for (Py_ssize_t k = 0; k < count; k++) {
    into.push_back(number(PyTuple_GetItem(tuple, k)));
  }
}

// A tensor that replays make, of an allocation of theirs; offset, sizes and strides in elements.
class Place {
 public:
  // From (index of the allocation, a tensor of the dtype, offset, sizes, strides).
  explicit Place(PyObject* told) : allocation(number(PyTuple_GetItem(told, 0))) {
    PyObject* like = require(PyTuple_GetItem(told, 1));
    const c10::TensorImpl* example = TensorLayout::implementation(like);
    dtype_ = example->dtype();
    offset_ = number(PyTuple_GetItem(told, 2));
    read_numbers(PyTuple_GetItem(told, 3), sizes_);
    read_numbers(PyTuple_GetItem(told, 4), strides_);
  }

  at::TensorBase on(const c10::Storage& memory) const {
    const auto key = memory.device().is_cuda() ? c10::DispatchKey::CUDA : c10::DispatchKey::CPU;
    auto tensor = at::detail::make_tensor_base<c10::TensorImpl>(
        c10::Storage(memory), c10::DispatchKeySet(key), dtype_);
    tensor.unsafeGetTensorImpl()->set_sizes_and_strides(sizes_, strides_, offset_);
    return tensor;
  }

  const int64_t allocation;

 private:
  caffe2::TypeMeta dtype_;
  int64_t offset_;
  c10::SmallVector<int64_t, 6> sizes_;
  c10::SmallVector<int64_t, 6> strides_;
};

}  // namespace gpuos
