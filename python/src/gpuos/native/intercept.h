// Interception of calls at the dispatcher, for `gpuos.dispatch`.
//
// A thread inside of a scope has one more dispatch key, below autograd and above all kernels; outside
// of scopes nothing is different. Its fallback sees every call of ATen. Calls of a known form that
// can wait are noted, without Python and without the GIL; others run what waits and go on to PyTorch.
// A call of a new signature goes to Python once, through the mode of scope.py.
#pragma once

#include <c10/core/impl/LocalDispatchKeySet.h>
#include <c10/core/impl/TorchDispatchModeTLS.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <torch/library.h>

#include <atomic>
#include <ctime>
#include <map>
#include <mutex>
#include <unordered_set>

#include "waiting.h"

namespace gpuos {

// Kept by PyTorch for its tensors without memory, and for nothing else where calls do compute.
constexpr c10::DispatchKey kKey = c10::DispatchKey::Fake;

// Holds the GIL, in threads of C++ too.
class Gil {
 public:
  Gil() : state_(PyGILState_Ensure()) {}
  ~Gil() { PyGILState_Release(state_); }
  Gil(const Gil&) = delete;

 private:
  PyGILState_STATE state_;
};

// A Python error on its way through the dispatcher, which makes a RuntimeError of its message;
// where it gets back to Python without the dispatcher, it is the same error again.
class PythonFailure : public std::runtime_error {
 public:
  PythonFailure(const std::string& text, PyObject* type, PyObject* value, PyObject* trace)
      : std::runtime_error(text), error_(new Reference[3], [](Reference* error) {
          const Gil gil;
          delete[] error;
        }) {
    error_.get()[0] = Reference(type);
    error_.get()[1] = Reference(value);
    error_.get()[2] = Reference(trace);
  }

  // Under the GIL.
  void restore() const {
    PyErr_Restore(
        error_.get()[0].release(), error_.get()[1].release(), error_.get()[2].release());
  }

 private:
  std::shared_ptr<Reference> error_;
};

// Throws the Python error that is set. Under the GIL.
[[noreturn]] inline void throw_python_error() {
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  Reference text(value != nullptr ? PyObject_Str(value) : nullptr);
  const char* message = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
  const std::string copy = message != nullptr ? message : "gpuos: an error without a text";
  PyErr_Clear();
  throw PythonFailure(copy, type, value, trace);
}

// A program of a batch, and the storages whose addresses it takes.
struct Batch {
  ~Batch() {
    if (keeps != nullptr) {
      const Gil gil;
      Py_DECREF(keeps);
    }
  }
  std::vector<uint64_t> key;
  int64_t program = 0;
  std::vector<size_t> addressed;
  PyObject* keeps = nullptr;
};

inline int64_t now_nanoseconds() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{1000000000} * time.tv_sec + time.tv_nsec;
}

// Forms by signature, of one thread; a signature is learnt by each thread that meets it.
class FormTable {
 public:
  const CallForm* find(const Words& words, uint64_t hash) const {
    const auto found = entries_.find(hash);
    if (found == entries_.end() || found->second.words.size() != words.size() ||
        !std::equal(words.begin(), words.end(), found->second.words.begin())) {
      return nullptr;
    }
    return found->second.form;
  }

  void put(const Words& words, uint64_t hash, const CallForm* form) {
    if (entries_.size() >= kMost) {
      entries_.clear();
    }
    entries_.insert_or_assign(hash, Entry{{words.begin(), words.end()}, form});
  }

 private:
  static constexpr size_t kMost = 20000;
  struct Entry {
    std::vector<uint64_t> words;
    const CallForm* form;
  };
  struct Same {
    size_t operator()(uint64_t hash) const { return hash; }
  };
  std::unordered_map<uint64_t, Entry, Same> entries_;
};

// Programs of batches, of all threads.
class Batches {
 public:
  std::shared_ptr<Batch> find(const std::vector<uint64_t>& key) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = batches_.find(hash_of(key.data(), key.size()));
    return found == batches_.end() || found->second->key != key ? nullptr : found->second;
  }

  // Under the GIL. What goes is let go after the lock: that runs Python, which gives the GIL to
  // others, who may want the lock.
  void put(std::shared_ptr<Batch> batch) {
    std::vector<std::shared_ptr<Batch>> gone;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (batches_.size() >= kMost) {
      for (auto& [hash, old] : batches_) {
        gone.push_back(old);
      }
      batches_.clear();
    }
    auto& place = batches_[hash_of(batch->key.data(), batch->key.size())];
    gone.push_back(std::exchange(place, std::move(batch)));
  }

 private:
  static constexpr size_t kMost = 256;
  std::mutex mutex_;
  std::unordered_map<uint64_t, std::shared_ptr<Batch>> batches_;
};

class Scope : public c10::DebugInfoBase {
 public:
  // Callables of scope.py: `learnt` says what the last call met was, `run` runs a new batch.
  PyObject* learnt = nullptr;
  PyObject* run_batch = nullptr;
  PyObject* stream_of = nullptr;
  size_t most_calls = 512;
  size_t most_bytes = 256 << 20;
  int64_t age = 0;
  int64_t generation = 0;
  int64_t (*replay)(int64_t, int64_t, int64_t, int64_t) = nullptr;
  std::shared_ptr<c10::impl::PyObject_TorchDispatchMode> mode;
  std::unordered_set<c10::StorageImpl*> handed_out;
  std::vector<SharedStorage> handed_out_storages;
  // Of what waits the memory is filled with nonsense, for tests.
  bool poison = false;
  std::atomic<int64_t> calls{0};
  int64_t batched = 0, programs = 0, eager = 0;

  // Memory of a storage is seen from outside from now on.
  void hand_out(c10::StorageImpl* storage) {
    Lock lock(*this);
    if (handed_out.insert(storage).second) {
      handed_out_storages.push_back(SharedStorage::reclaim_copy(storage));
    }
  }

  // Runs what waits. Any thread; the GIL held or not.
  void flush() {
    Lock lock(*this);
    if (waiting_->is_empty()) {
      waiting_->clear();  // of storages of a call that did not come to wait
      return;
    }
    // Taken first: what runs it may come back here.
    std::unique_ptr<Waiting> taken = std::move(waiting_);
    waiting_ = spare_ ? std::move(spare_) : std::make_unique<Waiting>();
    taken->finish();
    run(*taken);
    taken->clear();
    spare_ = std::move(taken);
  }

  // Notes a call and puts its results on the stack; false where PyTorch has to run it.
  bool wait(const CallForm& form, const Signature& signature, torch::jit::Stack& stack,
            size_t arguments) {
    Lock lock(*this);
    const c10::StreamId stream = form.device.is_cpu()
        ? 0
        : c10::impl::VirtualGuardImpl(form.device.type()).getStream(form.device).id();
    if (!waiting_->is_empty() &&
        (waiting_->device != form.device || waiting_->stream != stream ||
         now_nanoseconds() - waiting_->begun > age)) {
      flush();
    }
    c10::SmallVector<uint32_t, 8> numbers;
    bool leaks = false;
    if (!waiting_->admit(signature, numbers, leaks)) {
      flush();
      return false;
    }
    if (waiting_->is_empty()) {
      waiting_->device = form.device;
      waiting_->stream = stream;
      waiting_->begun = now_nanoseconds();
    }
    c10::SmallVector<at::TensorBase, 4> made = make(form);
    note(form, signature, numbers, made);
    leaks = leaks || is_seen(signature);
    c10::SmallVector<at::TensorBase, 4> results;
    for (const auto& [is_made, index] : form.results) {
      results.push_back(is_made ? made[index] : *signature.tensors[index]);
    }
    made.clear();
    torch::jit::drop(stack, arguments);
    for (at::TensorBase& result : results) {
      stack.emplace_back(at::Tensor(std::move(result)));
    }
    batched++;
    if (leaks || waiting_->calls.size() >= most_calls || waiting_->bytes > most_bytes) {
      flush();
    }
    return true;
  }

 private:
  // Taken while the GIL may be held by this thread: whoever has the lock may be waiting for the GIL.
  class Lock {
   public:
    explicit Lock(Scope& scope) : mutex_(scope.mutex_) {
      if (!mutex_.try_lock()) {
        if (PyGILState_Check()) {
          Py_BEGIN_ALLOW_THREADS
          mutex_.lock();
          Py_END_ALLOW_THREADS
        } else {
          mutex_.lock();
        }
      }
    }
    ~Lock() { mutex_.unlock(); }

   private:
    std::recursive_mutex& mutex_;
  };

  c10::SmallVector<at::TensorBase, 4> make(const CallForm& form) {
    const c10::OptionalDeviceGuard guard(
        form.device.is_cpu() ? std::nullopt : std::optional<c10::Device>(form.device));
    const auto key = form.device.is_cuda() ? c10::DispatchKey::CUDA : c10::DispatchKey::CPU;
    c10::SmallVector<at::TensorBase, 4> made;
    for (const CallForm::Fresh& fresh : form.fresh) {
      c10::Storage storage(
          c10::Storage::use_byte_size_t(), fresh.bytes, form.allocator->allocate(fresh.bytes),
          form.allocator, true);
      made.push_back(at::detail::make_tensor_base<c10::TensorImpl>(
          std::move(storage), c10::DispatchKeySet(key), fresh.dtype));
      made.back().unsafeGetTensorImpl()->set_sizes_and_strides(fresh.sizes, fresh.strides);
      if (poison && form.device.is_cpu()) {
        std::memset(made.back().unsafeGetTensorImpl()->unsafe_storage().mutable_data(), 0x7F,
                    fresh.bytes);
      }
    }
    return made;
  }

  void note(const CallForm& form, const Signature& signature,
            const c10::SmallVector<uint32_t, 8>& numbers,
            const c10::SmallVector<at::TensorBase, 4>& made) {
    Waiting& waiting = *waiting_;
    waiting.structure.push_back(form.number);
    waiting.calls.push_back({&form, waiting.structure.size(), numbers.size()});
    for (size_t k = 0; k < numbers.size(); k++) {
      waiting.structure.push_back(numbers[k]);
      waiting.structure.push_back(signature.tensors[k]->unsafeGetTensorImpl()->storage_offset());
    }
    for (size_t k = 0; k < made.size(); k++) {
      c10::StorageImpl* storage = storage_of(made[k].unsafeGetTensorImpl());
      waiting.structure.push_back(waiting.add(SharedStorage::reclaim_copy(storage), true));
      waiting.bytes += form.fresh[k].bytes;
    }
  }

  bool is_seen(const Signature& signature) const {
    if (handed_out.empty()) {
      return false;
    }
    return std::any_of(
        signature.tensors.begin(), signature.tensors.end(), [this](const at::TensorBase* tensor) {
          return handed_out.count(storage_of(tensor->unsafeGetTensorImpl())) != 0;
        });
  }

  void run(Waiting& taken) {
    std::vector<uint64_t> key(taken.structure);
    key.push_back(static_cast<uint64_t>(taken.device.type()) << 8 | uint8_t(taken.device.index()));
    const std::shared_ptr<Batch> batch = known().find(key);
    if (batch == nullptr) {
      run_in_python(taken, key);
      return;
    }
    c10::SmallVector<int64_t, 64> words;
    for (size_t number : batch->addressed) {
      words.push_back(static_cast<int64_t>(address_of(taken.storages[number].get())));
    }
    int64_t stream = 0;
    if (!taken.device.is_cpu()) {
      stream = stream_number(taken);
    }
    int64_t error;
    const auto call = [&] {
      return replay(batch->program, reinterpret_cast<int64_t>(words.data()),
                    static_cast<int64_t>(words.size()), stream);
    };
    if (PyGILState_Check()) {
      Py_BEGIN_ALLOW_THREADS
      error = call();
      Py_END_ALLOW_THREADS
    } else {
      error = call();
    }
    if (error != 0) {
      const Gil gil;
      Reference raised(PyObject_CallFunction(fail, "L", static_cast<long long>(error)));
      throw_python_error();
    }
    programs++;
  }

  int64_t stream_number(const Waiting& taken) {
    const std::pair<int, c10::StreamId> which(taken.device.index(), taken.stream);
    const auto found = streams_.find(which);
    if (found != streams_.end()) {
      return found->second;
    }
    const Gil gil;
    Reference number(PyObject_CallFunction(stream_of, "i", int(taken.device.index())));
    if (!number) {
      throw_python_error();
    }
    return streams_[which] = PyLong_AsLongLong(number.get());
  }

  // New batches: Python compiles them, or runs them in PyTorch.
  void run_in_python(Waiting& taken, const std::vector<uint64_t>& key);

 public:
  static Batches& known() {
    static auto* batches = new Batches();
    return *batches;
  }

  static inline PyObject* fail = nullptr;

 private:
  std::recursive_mutex mutex_;
  std::unique_ptr<Waiting> waiting_ = std::make_unique<Waiting>();
  std::unique_ptr<Waiting> spare_;
  std::map<std::pair<int, c10::StreamId>, int64_t> streams_;
};

}  // namespace gpuos
