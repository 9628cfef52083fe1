// The Python type of scopes, the fallback, and new batches.
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

// ---- the Python type

struct PyScope {
  PyObject_HEAD
  std::shared_ptr<Scope>* scope;
  Scope* outer;
  c10::DebugInfoGuard* guard;
};

inline Scope& scope_in(PyObject* object) { return **reinterpret_cast<PyScope*>(object)->scope; }

template <typename Body>
PyObject* guarded(Body body) {
  try {
    body();
    Py_RETURN_NONE;
  } catch (const PythonError&) {
  } catch (const PythonFailure& failure) {
    failure.restore();
  } catch (const std::exception& failure) {
    PyErr_SetString(PyExc_RuntimeError, failure.what());
  }
  return nullptr;
}

// Scope(learnt, run, stream, replay, fail, calls, bytes, seconds)
inline PyObject* make_scope(PyTypeObject* type, PyObject* args, PyObject*) {
  PyObject *learnt, *run, *stream, *fail;
  long long replay, calls, bytes;
  double seconds;
  if (!PyArg_ParseTuple(args, "OOOLOLLd", &learnt, &run, &stream, &replay, &fail, &calls, &bytes,
                        &seconds)) {
    return nullptr;
  }
  auto* self = reinterpret_cast<PyScope*>(type->tp_alloc(type, 0));
  if (self == nullptr) {
    return nullptr;
  }
  auto scope = std::make_shared<Scope>();
  for (PyObject* object : {learnt, run, stream, fail}) {
    Py_INCREF(object);
  }
  scope->learnt = learnt;
  scope->run_batch = run;
  scope->stream_of = stream;
  if (Scope::fail == nullptr) {
    Scope::fail = fail;
  }
  scope->replay = reinterpret_cast<decltype(scope->replay)>(replay);
  scope->most_calls = calls;
  scope->most_bytes = bytes;
  scope->age = seconds < 1e9 ? static_cast<int64_t>(seconds * 1e9) : INT64_MAX;
  scope->generation = generation;
  self->scope = new std::shared_ptr<Scope>(std::move(scope));
  return reinterpret_cast<PyObject*>(self);
}

// install(): registers the fallback, for good: it costs nothing to threads without the key.
inline PyObject* install(PyObject*, PyObject*) {
  return guarded([] {
    static auto* library = [] {
      auto made = std::make_unique<torch::Library>(
          torch::Library::IMPL, "_", kKey, __FILE__, __LINE__);
      made->fallback(torch::CppFunction::makeFromBoxedFunction<&fallback>());
      return made.release();
    }();
    (void)library;
  });
}

// grab(): keeps the mode that was entered last.
inline PyObject* grab(PyObject* object, PyObject*) {
  return guarded([object] {
    using Modes = c10::impl::TorchDispatchModeTLS;
    if (Modes::stack_len() == 0) {
      throw std::runtime_error("grab: no mode was entered");
    }
    scope_in(object).mode = Modes::get_stack_at(Modes::stack_len() - 1);
  });
}

// enter(): sees the calls of this thread from now on.
inline PyObject* enter(PyObject* object, PyObject*) {
  return guarded([object] {
    auto* self = reinterpret_cast<PyScope*>(object);
    self->guard = new c10::DebugInfoGuard(c10::DebugInfoKind::TEST_INFO_2, *self->scope);
    self->outer = current;
    current = self->scope->get();
    c10::impl::tls_set_dispatch_key_included(kKey, true);
  });
}

// leave(): undoes enter(), and runs nothing.
inline PyObject* leave(PyObject* object, PyObject*) {
  return guarded([object] {
    auto* self = reinterpret_cast<PyScope*>(object);
    current = self->outer;
    c10::impl::tls_set_dispatch_key_included(kKey, current != nullptr);
    delete self->guard;
    self->guard = nullptr;
    (*self->scope)->handed_out.clear();
    (*self->scope)->handed_out_storages.clear();
  });
}

// pass_unseen(flag): whether calls of this thread go to PyTorch unseen; gives what was before.
inline PyObject* pass_unseen(PyObject*, PyObject* flag) {
  const bool before = c10::impl::tls_is_dispatch_key_excluded(kKey);
  c10::impl::tls_set_dispatch_key_excluded(kKey, flag == Py_True);
  return PyBool_FromLong(before);
}

// passes(): whether calls of this thread go to PyTorch unseen.
inline PyObject* passes(PyObject*, PyObject*) {
  return PyBool_FromLong(c10::impl::tls_is_dispatch_key_excluded(kKey));
}

inline PyObject* poison(PyObject* object, PyObject*) {
  scope_in(object).poison = true;
  Py_RETURN_NONE;
}

inline PyObject* flush(PyObject* object, PyObject*) {
  return guarded([object] { scope_in(object).flush(); });
}

// hand_out(tensor): memory of it is seen from outside from now on.
inline PyObject* hand_out(PyObject* object, PyObject* tensor) {
  return guarded([&] {
    Scope& scope = scope_in(object);
    if (!TensorLayout::is_tensor(tensor)) {
      return;
    }
    const c10::TensorImpl* half = TensorLayout::implementation(tensor);
    if (half->has_storage()) {
      scope.hand_out(storage_of(half));
    }
  });
}

inline PyObject* counts(PyObject* object, void*) {
  const Scope& scope = scope_in(object);
  return Py_BuildValue("LLLL", static_cast<long long>(scope.calls),
                       static_cast<long long>(scope.batched),
                       static_cast<long long>(scope.programs),
                       static_cast<long long>(scope.eager));
}

inline int traverse_scope(PyObject* object, visitproc visit, void* arg) {
  const Scope& scope = scope_in(object);
  Py_VISIT(scope.learnt);
  Py_VISIT(scope.run_batch);
  Py_VISIT(scope.stream_of);
  Py_VISIT(Py_TYPE(object));
  return 0;
}

inline int clear_scope(PyObject* object) {
  Scope& scope = scope_in(object);
  Py_CLEAR(scope.learnt);
  Py_CLEAR(scope.run_batch);
  Py_CLEAR(scope.stream_of);
  return 0;
}

inline void destroy_scope(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  clear_scope(object);
  delete reinterpret_cast<PyScope*>(object)->scope;
  type->tp_free(object);
  Py_DECREF(type);
}

inline PyMethodDef scope_methods[] = {
    {"grab", grab, METH_NOARGS, "grab(): keeps the mode that was entered last"},
    {"enter", enter, METH_NOARGS, "enter(): sees the calls of this thread from now on"},
    {"leave", leave, METH_NOARGS, "leave(): undoes enter()"},
    {"flush", flush, METH_NOARGS, "flush(): runs what waits"},
    {"poison", poison, METH_NOARGS, "poison(): fills memory of results that wait with nonsense"},
    {"hand_out", hand_out, METH_O, "hand_out(tensor): its memory is seen from outside"},
    {},
};

inline PyGetSetDef scope_properties[] = {
    {"counts", counts, nullptr, "calls, those that waited, programs run, batches run by Python", nullptr},
    {},
};

inline PyType_Slot scope_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(make_scope)},
    {Py_tp_dealloc, reinterpret_cast<void*>(destroy_scope)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse_scope)},
    {Py_tp_clear, reinterpret_cast<void*>(clear_scope)},
    {Py_tp_methods, scope_methods},
    {Py_tp_getset, scope_properties},
    {0, nullptr},
};

inline PyType_Spec scope_type = {
    "gpuos_intercept.Scope",
    sizeof(PyScope),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    scope_slots,
};

}  // namespace gpuos
