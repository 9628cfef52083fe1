// Calls that wait, and the programs that run them together; the form of pending.py in C++.
#pragma once

#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <vector>

#include "signature.h"

namespace gpuos {

using SharedStorage = c10::intrusive_ptr<c10::StorageImpl>;

// What calls of one signature do, as forms.py has learnt it. Never changes, and stays for good.
struct CallForm {
  enum class Action : uint8_t {
    kPass,     // a view, or nothing that memory matters to
    kThrough,  // consists of other calls, which are seen
    kRunNow,   // everything that waits goes first, then PyTorch runs it
    kWait,
  };

  // A tensor that a call makes.
  struct Fresh {
    caffe2::TypeMeta dtype;
    size_t bytes;
    c10::SmallVector<int64_t, 6> sizes;
    c10::SmallVector<int64_t, 6> strides;
  };

  Action action = Action::kRunNow;
  PyObject* form = nullptr;
  int64_t number = 0;
  c10::Device device{c10::DeviceType::CPU};
  c10::Allocator* allocator = nullptr;
  std::vector<Fresh> fresh;
  // For each result whether it is made, and which of those made or given.
  std::vector<std::pair<bool, size_t>> results;
};

class Waiting {
 public:
  struct Call {
    const CallForm* form;
    // Where its numbers begin: a number and an offset for each tensor given, then those it makes.
    size_t at;
    size_t given;
  };

  bool is_empty() const { return calls.empty(); }

  // Admits the storages of a call's tensors; false where memory from outside overlaps. `leaks` says
  // that somebody else sees the memory of one.
  bool admit(const Signature& signature, c10::SmallVector<uint32_t, 8>& numbers, bool& leaks) {
    for (const at::TensorBase* tensor : signature.tensors) {
      c10::StorageImpl* storage = storage_of(tensor->unsafeGetTensorImpl());
      uint32_t found = find(storage);
      if (found == kUnknown) {
        if (!separate(storage)) {
          return false;
        }
        found = add(SharedStorage::reclaim_copy(storage), false);
      }
      leaks = leaks || (!made[found] && !storage->resizable());
      numbers.push_back(found);
    }
    return true;
  }

  uint32_t add(SharedStorage storage, bool is_made) {
    const auto number = static_cast<uint32_t>(storages.size());
    insert(storage.get(), number);
    storages.push_back(std::move(storage));
    made.push_back(is_made);
    return number;
  }

  // What decides which program runs the calls: forms, storages and offsets, then roles and sizes.
  void finish() {
    roles.clear();
    for (size_t k = 0; k < storages.size(); k++) {
      const uint64_t role = !made[k] ? kInput : storages[k].use_count() > 1 ? kOutput : kTemporary;
      roles.push_back(static_cast<uint8_t>(role));
      structure.push_back(storages[k]->nbytes() << 2 | role);
    }
  }

  void clear() {
    calls.clear();
    structure.clear();
    storages.clear();
    made.clear();
    begins_.clear();
    ends_.clear();
    std::fill(table_.begin(), table_.end(), Slot{nullptr, 0});
    bytes = 0;
  }

  enum Role : uint64_t { kInput, kOutput, kTemporary };

  std::vector<Call> calls;
  std::vector<uint64_t> structure;
  std::vector<SharedStorage> storages;
  std::vector<bool> made;
  std::vector<uint8_t> roles;
  size_t bytes = 0;
  c10::Device device{c10::DeviceType::CPU};
  c10::StreamId stream = 0;
  int64_t begun = 0;

 private:
  static constexpr uint32_t kUnknown = ~0u;

  struct Slot {
    c10::StorageImpl* storage;
    uint32_t number;
  };

  static size_t start(c10::StorageImpl* storage) {
    return (reinterpret_cast<uintptr_t>(storage) >> 4) * 0x9E3779B97F4A7C15ull >> 20;
  }

  uint32_t find(c10::StorageImpl* storage) const {
    for (size_t k = start(storage);; k++) {
      const Slot& slot = table_[k & (table_.size() - 1)];
      if (slot.storage == storage || slot.storage == nullptr) {
        return slot.storage == nullptr ? kUnknown : slot.number;
      }
    }
  }

  void insert(c10::StorageImpl* storage, uint32_t number) {
    if (2 * (storages.size() + 1) > table_.size()) {
      std::vector<Slot> old(2 * table_.size(), Slot{nullptr, 0});
      old.swap(table_);
      for (const Slot& slot : old) {
        if (slot.storage != nullptr) {
          place(slot);
        }
      }
    }
    place({storage, number});
  }

  void place(Slot slot) {
    size_t k = start(slot.storage);
    while (table_[k & (table_.size() - 1)].storage != nullptr) {
      k++;
    }
    table_[k & (table_.size() - 1)] = slot;
  }

  // Whether memory from outside is apart from all of it that was admitted before.
  bool separate(c10::StorageImpl* storage) {
    const uintptr_t begin = address_of(storage);
    const size_t size = storage->nbytes();
    if (size == 0) {
      return true;
    }
    const size_t at = std::upper_bound(begins_.begin(), begins_.end(), begin) - begins_.begin();
    if ((at > 0 && ends_[at - 1] > begin) || (at < begins_.size() && begins_[at] < begin + size)) {
      return false;
    }
    begins_.insert(begins_.begin() + at, begin);
    ends_.insert(ends_.begin() + at, begin + size);
    return true;
  }

  std::vector<Slot> table_ = std::vector<Slot>(1024, Slot{nullptr, 0});
  std::vector<uintptr_t> begins_;
  std::vector<uintptr_t> ends_;
};

}  // namespace gpuos
