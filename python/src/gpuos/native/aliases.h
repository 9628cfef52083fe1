// Which tensors are the same object, or lie in the same storage.
#pragma once

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "form.h"
#include "objects.h"
#include "snapshot.h"

namespace gpuos {

using Storages = c10::SmallVector<c10::StorageImpl*, 32>;

// The pattern of the tensors of a call: those of its arguments, then the held ones, which stay. The
// same pattern means that the same pairs are one object, and the same pairs share a storage.
class Aliases {
 public:
  Aliases(const Leaves& arguments, const std::vector<Held>& held)
      : held_(held), arguments_(arguments.size()) {
    std::unordered_map<PyObject*, size_t> objects;
    std::unordered_map<c10::StorageImpl*, std::vector<size_t>> storages;
    for (size_t k = 0; k < arguments.size() + held.size(); k++) {
      PyObject* object = k < arguments_ ? arguments[k] : held[k - arguments_].object;
      const size_t first = objects.try_emplace(object, k).first->second;
      if (first != k) {
        same_object_.emplace_back(first, k);
        continue;
      }
      auto& sharing = storages[storage_of(TensorLayout::implementation(object))];
      if (sharing.empty() && k < arguments_) {
        own_.push_back(k);
      } else if (!sharing.empty()) {
        same_storage_.emplace_back(sharing.front(), k);
      }
      for (size_t other : sharing) {
        different_.emplace_back(other, k);
      }
      sharing.push_back(k);
    }
    for (const auto& [storage, sharing] : storages) {
      if (sharing.front() >= arguments_) {
        foreign_.push_back(storage);
      }
    }
    std::sort(foreign_.begin(), foreign_.end());
  }

  // Whether arguments have the pattern, given that the held tensors hold; gives their storages.
  bool match(const Leaves& arguments, Storages& storages) const {
    for (PyObject* argument : arguments) {
      storages.push_back(storage_of(TensorLayout::implementation(argument)));
    }
    for (const auto& [one, other] : same_object_) {
      if (object(arguments, one) != object(arguments, other)) {
        return false;
      }
    }
    for (const auto& [one, other] : same_storage_) {
      if (storage(storages, one) != storage(storages, other)) {
        return false;
      }
    }
    for (const auto& [one, other] : different_) {
      if (object(arguments, one) == object(arguments, other)) {
        return false;
      }
    }
    return are_apart(storages);
  }

 private:
  static constexpr size_t kFew = 16;

  PyObject* object(const Leaves& arguments, size_t k) const {
    return k < arguments_ ? arguments[k] : held_[k - arguments_].object;
  }

  c10::StorageImpl* storage(const Storages& storages, size_t k) const {
    return k < arguments_ ? storages[k] : held_[k - arguments_].storage;
  }

  // Whether each storage of the arguments is one that nothing else lies in.
  bool are_apart(const Storages& storages) const {
    for (size_t k : own_) {
      if (!foreign_.empty() && std::binary_search(foreign_.begin(), foreign_.end(), storages[k])) {
        return false;
      }
    }
    if (own_.size() <= kFew) {
      for (size_t i = 0; i < own_.size(); i++) {
        for (size_t j = 0; j < i; j++) {
          if (storages[own_[i]] == storages[own_[j]]) {
            return false;
          }
        }
      }
      return true;
    }
    Storages sorted;
    for (size_t k : own_) {
      sorted.push_back(storages[k]);
    }
    std::sort(sorted.begin(), sorted.end());
    return std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
  }

  const std::vector<Held>& held_;
  size_t arguments_;
  std::vector<std::pair<size_t, size_t>> same_object_;
  std::vector<std::pair<size_t, size_t>> same_storage_;
  std::vector<std::pair<size_t, size_t>> different_;
  std::vector<size_t> own_;
  std::vector<c10::StorageImpl*> foreign_;
};

}  // namespace gpuos
