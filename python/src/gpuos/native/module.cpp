// The module: a type to inherit from, whose calls try plans in turn. All of it runs under the GIL, except the
// call of a program.

#include <pthread.h>

#include <memory>
#include <vector>

#include "plan.h"
#include "plan_read.h"
#include "teach.h"

namespace gpuos {
namespace {

// Rises in every forked child: the JVM of the parent's plans is not there.
int64_t generation = 0;

// `torch.compiler`'s namespace, and the name of the flag in it that says a trace is being made.
PyObject* compiler = nullptr;
PyObject* compiling = nullptr;

PyObject* method_name = nullptr;

struct Plans {
  PyObject_HEAD
  std::vector<std::unique_ptr<Plan>>* plans;
  size_t last;
  int64_t calls;
  int64_t generation;
};

bool is_compiling() {
  PyObject* flag = PyDict_GetItemWithError(compiler, compiling);
  return flag != Py_False;
}

PyObject* missed() {
  Py_INCREF(Py_NotImplemented);
  return Py_NotImplemented;
}

PyObject* attempt(Plans* self, Plan& plan, PyObject* args, PyObject* kwargs,
                  const Surroundings& now) {
  Plan::Live live;
  const bool fits = plan.fits(args, kwargs, now, live);
  if (!fits || PyErr_Occurred()) {
    PyErr_Clear();
    return nullptr;
  }
  PyObject* result = plan.run(live);
  if (result != nullptr) {
    self->calls++;
  }
  return result;
}

// The results of a replay, NotImplemented where no plan fits, or null with an error.
PyObject* replay(Plans* self, PyObject* args, PyObject* kwargs) {
  const size_t size = self->plans->size();
  if (size == 0 || self->generation != generation || is_compiling()) {
    return missed();
  }
  try {
    const Surroundings now = Surroundings::now();
    // The one that fitted last is likely to fit again.
    for (size_t k = 0; k < size; k++) {
      const size_t index = (self->last + k) % size;
      PyObject* result = attempt(self, *(*self->plans)[index], args, kwargs, now);
      if (result != nullptr) {
        self->last = index;
        return result;
      }
    }
    return missed();
  } catch (const PythonError&) {
    return nullptr;
  } catch (const std::exception& failure) {
    PyErr_SetString(PyExc_RuntimeError, failure.what());
    return nullptr;
  }
}

// Calling the object: where no plan fits, its method `_call` does all of it.
PyObject* call(PyObject* object, PyObject* args, PyObject* kwargs) {
  PyObject* result = replay(reinterpret_cast<Plans*>(object), args, kwargs);
  if (result != Py_NotImplemented) {
    return result;
  }
  Py_DECREF(result);
  Reference method(PyObject_GetAttr(object, method_name));
  return method ? PyObject_Call(method.get(), args, kwargs) : nullptr;
}

// _add(told): takes a plan; ValueError where it is one that only Python can follow.
PyObject* add(PyObject* object, PyObject* told) {
  auto* self = reinterpret_cast<Plans*>(object);
  try {
    self->plans->push_back(std::make_unique<Plan>(told));
    Py_RETURN_NONE;
  } catch (const PythonError&) {
    return nullptr;
  } catch (const std::exception& failure) {
    PyErr_SetString(PyExc_ValueError, failure.what());
    return nullptr;
  }
}

PyObject* make(PyTypeObject* type, PyObject*, PyObject*) {
  auto* self = reinterpret_cast<Plans*>(type->tp_alloc(type, 0));
  if (self != nullptr) {
    self->plans = new std::vector<std::unique_ptr<Plan>>();
    self->generation = generation;
  }
  return reinterpret_cast<PyObject*>(self);
}

int traverse(PyObject* object, visitproc visit, void* arg) {
  for (const auto& plan : *reinterpret_cast<Plans*>(object)->plans) {
    Py_VISIT(plan->kept.list());
  }
  Py_VISIT(Py_TYPE(object));
  return 0;
}

int clear(PyObject* object) {
  // Emptied before anything is let go: that may run Python, which may come back here.
  std::vector<std::unique_ptr<Plan>> gone;
  gone.swap(*reinterpret_cast<Plans*>(object)->plans);
  return 0;
}

void destroy(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  clear(object);
  delete reinterpret_cast<Plans*>(object)->plans;
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* calls(PyObject* object, void*) {
  return PyLong_FromLongLong(reinterpret_cast<Plans*>(object)->calls);
}

PyObject* size(PyObject* object, void*) {
  return PyLong_FromSize_t(reinterpret_cast<Plans*>(object)->plans->size());
}

PyMethodDef methods[] = {
    {"_add", add, METH_O, "_add(told): takes a plan; ValueError where only Python can follow it"},
    {},
};

PyGetSetDef properties[] = {
    {"_replayed", calls, nullptr, "replays so far", nullptr},
    {"_plans", size, nullptr, "number of plans", nullptr},
    {},
};

PyType_Slot slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(make)},
    {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {Py_tp_call, reinterpret_cast<void*>(call)},
    {0, nullptr},
};

PyType_Spec plans_type = {
    "gpuos_native.Plans",
    sizeof(Plans),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    slots,
};

// watch(namespace, name): where the flag is found.
PyObject* watch(PyObject*, PyObject* arguments) {
  if (!PyArg_ParseTuple(arguments, "OO", &compiler, &compiling)) {
    return nullptr;
  }
  Py_INCREF(compiler);
  Py_INCREF(compiling);
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {
    {"watch", watch, METH_VARARGS, "watch(namespace, name): a flag that forbids replays"},
    {"learn", learn, METH_VARARGS, "learn(halves, hooks, Tensor, Parameter)"},
    {},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "gpuos_native",
    "Replays of compiled functions without Python in between.",
    -1,
    functions,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
};

}  // namespace
}  // namespace gpuos

PyMODINIT_FUNC PyInit_gpuos_native() {
  pthread_atfork(nullptr, nullptr, [] { gpuos::generation++; });
  gpuos::method_name = PyUnicode_InternFromString("_call");
  gpuos::Reference module(PyModule_Create(&gpuos::definition));
  gpuos::Reference type(PyType_FromSpec(&gpuos::plans_type));
  if (!module || !type || PyModule_AddObjectRef(module.get(), "Plans", type.get()) < 0) {
    return nullptr;
  }
  return module.release();
}
