// The Python type of scopes.
#pragma once

#include "fallback.h"

namespace gpuos {

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
