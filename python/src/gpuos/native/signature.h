// A boxed call as numbers: all that it is but where its memory lies.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <c10/core/DefaultDtype.h>

#include <cstring>

#include "form.h"

namespace gpuos {

using Words = c10::SmallVector<uint64_t, 96>;

// A hash for tables in memory; equal words are compared after it.
inline uint64_t hash_of(const uint64_t* words, size_t count) {
  uint64_t hash = 0x9E3779B97F4A7C15ull ^ count;
  for (size_t k = 0; k < count; k++) {
    hash = (hash ^ words[k]) * 0xD6E8FEB86659FD93ull;
    hash ^= hash >> 32;
  }
  return hash;
}

class Signature {
 public:
  // False where an argument is of a type that is not known here.
  bool read(const c10::OperatorHandle& op, const torch::jit::Stack& stack, size_t count) {
    words.push_back(reinterpret_cast<uintptr_t>(&op.operator_name()));
    words.push_back(static_cast<uint64_t>(c10::get_default_dtype_as_scalartype()));
    for (size_t k = stack.size() - count; k < stack.size(); k++) {
      if (!add(stack[k])) {
        return false;
      }
    }
    return true;
  }

  // Whether a tensor is there whose memory is none that waits: calls on such do not matter.
  bool is_foreign = false;

  Words words;
  // The tensors in order, owned by the stack.
  c10::SmallVector<const at::TensorBase*, 8> tensors;

 private:
  enum Tag : uint64_t { kNone = 1, kTensor, kUndefined, kNumber, kInt, kDouble, kBool, kText, kList, kDevice };

  bool add(const c10::IValue& value) {
    if (value.isTensor()) {
      const at::TensorBase& tensor = static_cast<const at::TensorBase&>(value.toTensor());
      return add(tensor);
    }
    if (value.isNone()) {
      words.push_back(kNone);
    } else if (value.isInt()) {
      words.append({kInt, static_cast<uint64_t>(value.toInt())});
    } else if (value.isDouble()) {
      const double number = value.toDouble();
      uint64_t bits;
      std::memcpy(&bits, &number, sizeof bits);
      words.append({kDouble, bits});
    } else if (value.isBool()) {
      words.append({kBool, value.toBool()});
    } else if (value.isDevice()) {
      const auto device = value.toDevice();
      words.append({kDevice, static_cast<uint64_t>(device.type()) << 8 | uint8_t(device.index())});
    } else if (value.isString()) {
      add(value.toStringRef());
    } else if (value.isList()) {
      const auto list = value.toListRef();
      words.append({kList, list.size()});
      for (const c10::IValue& item : list) {
        if (!add(item)) {
          return false;
        }
      }
    } else {
      return false;
    }
    return true;
  }

  void add(const std::string& text) {
    words.append({kText, text.size()});
    for (size_t k = 0; k < text.size(); k += sizeof(uint64_t)) {
      uint64_t part = 0;
      std::memcpy(&part, text.data() + k, std::min(sizeof part, text.size() - k));
      words.push_back(part);
    }
  }

  // A number of Python where a tensor is expected; Python sees the number.
  bool add_number(const c10::TensorImpl* half) {
    uint64_t bits = 0;
    const size_t size = half->dtype().itemsize();
    if (!half->device().is_cpu() || half->numel() != 1 || size > sizeof bits) {
      return false;
    }
    std::memcpy(&bits, half->data(), size);
    words.append({kNumber, static_cast<uint64_t>(half->dtype().toScalarType()), bits});
    return true;
  }

  bool add(const at::TensorBase& tensor) {
    if (!tensor.defined()) {
      words.push_back(kUndefined);
      return true;
    }
    const c10::TensorImpl* half = tensor.unsafeGetTensorImpl();
    // PyTorch's fake tensors claim another device than their memory has.
    if (half->key_set().has_backend(c10::BackendComponent::MetaBit) ||
        (half->has_storage() && half->unsafe_storage().device().is_meta())) {
      is_foreign = true;
      return false;
    }
    const uint64_t keys = Form::keys(half);
    if (!half->has_storage() || half->layout() != c10::kStrided || half->is_neg() ||
        half->is_conj() || half->key_set().has(c10::DispatchKey::Python)) {
      return false;
    }
    if (half->is_wrapped_number()) {
      return add_number(half);
    }
    const auto sizes = half->sizes();
    const auto strides = half->strides();
    words.append({kTensor, keys,
                  static_cast<uint64_t>(half->dtype().toScalarType()) << 16 |
                      uint64_t(uint8_t(half->device().index())) << 8 | sizes.size()});
    words.append(sizes.begin(), sizes.end());
    words.append(strides.begin(), strides.end());
    tensors.push_back(&tensor);
    return true;
  }
};

}  // namespace gpuos
