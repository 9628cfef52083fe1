// The fallback that sees the calls of scopes, and what Python tells of forms and batches.
#pragma once

#include "intercept.h"

namespace gpuos {

// Rises in every forked child: the JVM of the parent is not there.
inline int64_t generation = 0;

// ---- the fallback

inline thread_local Scope* current = nullptr;
inline thread_local FormTable forms;

inline Scope* scope_of_thread() {
  if (current != nullptr) {
    return current;
  }
  // A thread of autograd that works for the one of the scope.
  return static_cast<Scope*>(c10::ThreadLocalDebugInfo::get(c10::DebugInfoKind::TEST_INFO_2));
}

inline void redispatch(const c10::OperatorHandle& op, c10::DispatchKeySet keys,
                       torch::jit::Stack* stack) {
  op.redispatchBoxed(
      keys & c10::DispatchKeySet(c10::DispatchKeySet::FULL_AFTER, kKey), stack);
}

// How tensors share storages: it matters where one is written.
inline void add_relations(Signature& signature) {
  const auto& tensors = signature.tensors;
  for (size_t k = 1; k < tensors.size(); k++) {
    for (size_t other = 0; other < k; other++) {
      const c10::TensorImpl* one = tensors[k]->unsafeGetTensorImpl();
      const c10::TensorImpl* two = tensors[other]->unsafeGetTensorImpl();
      if (storage_of(one) == storage_of(two)) {
        signature.words.append({k << 16 | other, static_cast<uint64_t>(one->storage_offset()),
                                static_cast<uint64_t>(two->storage_offset())});
        break;
      }
    }
  }
}

inline CallForm* read_form(PyObject* told);

inline bool is_aten(const c10::OperatorHandle& op) {
  return op.operator_name().name.compare(0, 6, "aten::") == 0;
}

// Views and the like are not counted.
inline bool is_counted(const CallForm& form) {
  return form.action == CallForm::Action::kWait || form.action == CallForm::Action::kRunNow;
}

// Lets Python run the call, and keeps what it learnt.
inline void ask(Scope& scope, const c10::OperatorHandle& op, torch::jit::Stack* stack,
                  const Words& words, uint64_t hash) {
  scope.flush();
  {
    const c10::impl::ExcludeDispatchKeyGuard without(kKey);
    c10::impl::TorchDispatchModeTLS::push_non_infra_mode_onto_stack(scope.mode);
    struct Pop {
      ~Pop() { c10::impl::TorchDispatchModeTLS::pop_stack(); }
    } pop;
    op.callBoxed(stack);
  }
  const Gil gil;
  Reference told(PyObject_CallNoArgs(scope.learnt));
  if (!told) {
    throw_python_error();
  }
  if (told.get() != Py_None) {
    try {
      const CallForm* form = read_form(told.get());
      scope.calls += is_counted(*form);
      forms.put(words, hash, form);
    } catch (const PythonError&) {
      throw_python_error();
    }
  }
}

inline void fallback(const c10::OperatorHandle& op, c10::DispatchKeySet keys,
                     torch::jit::Stack* stack) {
  Scope* scope = scope_of_thread();
  if (scope == nullptr || scope->generation != generation) {
    redispatch(op, keys, stack);
    return;
  }
  const size_t arguments = op.schema().arguments().size();
  Signature signature;
  const bool is_known = signature.read(op, *stack, arguments);
  if (signature.is_foreign || (is_known && signature.tensors.empty() && is_aten(op))) {
    const c10::impl::ExcludeDispatchKeyGuard without(kKey);
    redispatch(op, keys, stack);
    return;
  }
  if (!is_known) {
    scope->flush();
    redispatch(op, keys, stack);
    return;
  }
  add_relations(signature);
  const uint64_t hash = hash_of(signature.words.data(), signature.words.size());
  const CallForm* form = forms.find(signature.words, hash);
  if (form == nullptr) {
    ask(*scope, op, stack, signature.words, hash);
    return;
  }
  scope->calls += is_counted(*form);
  if (form->action == CallForm::Action::kWait && scope->wait(*form, signature, *stack, arguments)) {
    return;
  }
  if (form->action == CallForm::Action::kThrough) {
    redispatch(op, keys, stack);
    return;
  }
  if (form->action != CallForm::Action::kPass) {
    scope->flush();
  }
  // Kernels may consist of other calls.
  const c10::impl::ExcludeDispatchKeyGuard without(kKey);
  redispatch(op, keys, stack);
}

// ---- what Python tells of forms and batches

// Forms of Python by their numbers, which stay: lists may refer to them. Under the GIL.
inline std::unordered_map<int64_t, CallForm*> forms_by_number;

inline CallForm* read_action(const char* action) {
  static CallForm pass, through, run;
  pass.action = CallForm::Action::kPass;
  through.action = CallForm::Action::kThrough;
  return action == std::string("pass") ? &pass : action == std::string("through") ? &through : &run;
}

// Takes "pass", "through" or "run", or (number, form, example on the device, fresh, results): of each tensor
// made an example of its dtype, bytes, sizes and strides, of each result whether it is made and which.
inline CallForm* read_form(PyObject* told) {
  if (PyUnicode_Check(told)) {
    return read_action(PyUnicode_AsUTF8(told));
  }
  const int64_t known = number(PyTuple_GetItem(told, 0));
  const auto found = forms_by_number.find(known);
  if (found != forms_by_number.end()) {
    return found->second;
  }
  auto form = std::make_unique<CallForm>();
  form->action = CallForm::Action::kWait;
  form->number = known;
  form->form = require(PyTuple_GetItem(told, 1));
  const c10::Storage& like =
      TensorLayout::implementation(require(PyTuple_GetItem(told, 2)))->storage();
  form->device = like.device();
  form->allocator = like.allocator();
  PyObject* fresh = require(PyTuple_GetItem(told, 3));
  for (Py_ssize_t k = 0; k < PyList_Size(fresh); k++) {
    PyObject* one = PyList_GET_ITEM(fresh, k);
    CallForm::Fresh made;
    made.dtype = TensorLayout::implementation(require(PyTuple_GetItem(one, 0)))->dtype();
    made.bytes = number(PyTuple_GetItem(one, 1));
    read_numbers(PyTuple_GetItem(one, 2), made.sizes);
    read_numbers(PyTuple_GetItem(one, 3), made.strides);
    form->fresh.push_back(made);
  }
  PyObject* results = require(PyTuple_GetItem(told, 4));
  for (Py_ssize_t k = 0; k < PyList_Size(results); k++) {
    PyObject* one = PyList_GET_ITEM(results, k);
    form->results.emplace_back(
        PyTuple_GetItem(one, 0) == Py_True, static_cast<size_t>(number(PyTuple_GetItem(one, 1))));
  }
  Py_INCREF(form->form);
  return forms_by_number[known] = form.release();
}

// Python lists of the calls and storages of a list.
inline Reference calls_of(const Waiting& taken) {
  Reference calls(require(PyList_New(0)));
  for (const Waiting::Call& call : taken.calls) {
    Reference numbers(require(PyList_New(0))), offsets(require(PyList_New(0)));
    Reference made(require(PyList_New(0)));
    const auto append = [](Reference& list, uint64_t value) {
      Reference item(require(PyLong_FromUnsignedLongLong(value)));
      if (PyList_Append(list.get(), item.get()) < 0) {
        throw PythonError();
      }
    };
    size_t at = call.at;
    for (size_t k = 0; k < call.given; k++) {
      append(numbers, taken.structure[at++]);
      append(offsets, taken.structure[at++]);
    }
    for (size_t k = 0; k < call.form->fresh.size(); k++) {
      append(made, taken.structure[at++]);
    }
    Reference item(require(PyTuple_Pack(
        4, call.form->form, numbers.get(), offsets.get(), made.get())));
    if (PyList_Append(calls.get(), item.get()) < 0) {
      throw PythonError();
    }
  }
  return calls;
}

inline Reference storages_of(const Waiting& taken) {
  Reference list(require(PyList_New(0)));
  for (const SharedStorage& storage : taken.storages) {
    const auto key = storage->device().is_cuda() ? c10::DispatchKey::CUDA : c10::DispatchKey::CPU;
    const auto tensor = at::detail::make_tensor_base<c10::TensorImpl>(
        c10::Storage(storage), c10::DispatchKeySet(key), caffe2::TypeMeta::Make<uint8_t>());
    Reference item(require(wrap(tensor)));
    if (PyList_Append(list.get(), item.get()) < 0) {
      throw PythonError();
    }
  }
  return list;
}

inline void Scope::run_in_python(Waiting& taken, const std::vector<uint64_t>& key) {
  const Gil gil;
  // What Python calls meanwhile is not to be noted.
  const c10::impl::ExcludeDispatchKeyGuard without(kKey);
  try {
    Reference calls = calls_of(taken);
    Reference storages = storages_of(taken);
    Reference roles(require(PyBytes_FromStringAndSize(
        reinterpret_cast<const char*>(taken.roles.data()), taken.roles.size())));
    Reference order(PyLong_FromLongLong(taken.device.is_cpu() ? 0 : stream_number(taken)));
    // (program, addressed, what holds it), or None for now.
    Reference told(require(PyObject_CallFunctionObjArgs(
        run_batch, calls.get(), storages.get(), roles.get(), order.get(), nullptr)));
    if (told.get() == Py_None) {
      eager++;
      return;
    }
    auto batch = std::make_shared<Batch>();
    batch->key = key;
    batch->program = number(PyTuple_GetItem(told.get(), 0));
    (batch->program != 0 ? programs : eager)++;
    PyObject* addressed = require(PyTuple_GetItem(told.get(), 1));
    for (Py_ssize_t k = 0; k < PyList_Size(addressed); k++) {
      batch->addressed.push_back(number(PyList_GET_ITEM(addressed, k)));
    }
    batch->keeps = require(PyTuple_GetItem(told.get(), 2));
    Py_INCREF(batch->keeps);
    if (batch->program != 0) {
      known().put(std::move(batch));
    }
  } catch (const PythonError&) {
    throw_python_error();
  }
}

}  // namespace gpuos
