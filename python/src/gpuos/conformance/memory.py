"""Tensors of a call: copied as they lie in memory, and overwritten with other values."""

import torch


def tensors(leaves):
    return [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]


def is_plain(leaves):
    """Whether all tensors are strided memory of real numbers, which is what can be recorded."""
    return all(
        type(leaf) in (torch.Tensor, torch.nn.Parameter)
        and leaf.layout == torch.strided
        and not leaf.is_quantized
        and not leaf.is_complex()
        and not leaf.is_neg()
        for leaf in tensors(leaves)
    )


def copied(leaves):
    """The leaves with tensors of their own, that overlap each other as the given ones do."""
    storages, same = {}, {}
    return [_copy(leaf, storages, same) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]


def _copy(tensor, storages, same):
    if id(tensor) in same:
        return same[id(tensor)]
    storage = tensor.untyped_storage()
    if storage._cdata not in storages:
        storages[storage._cdata] = storage.clone()
    with torch.no_grad():
        copy = torch.empty(0, dtype=tensor.dtype, device=tensor.device).set_(
            storages[storage._cdata], tensor.storage_offset(), tensor.size(), tensor.stride()
        )
    same[id(tensor)] = copy
    return copy.requires_grad_(tensor.requires_grad)


def overwrite(leaves, source):
    """Gives the memory of leaves the contents of that of other leaves of the same layout."""
    for leaf, other in zip(tensors(leaves), tensors(source), strict=True):
        leaf.untyped_storage().copy_(other.untyped_storage())


def is_twin(leaves, others):
    """Whether all but the contents of tensors is the same."""
    if len(leaves) != len(others):
        return False
    for leaf, other in zip(leaves, others):
        if isinstance(leaf, torch.Tensor) != isinstance(other, torch.Tensor):
            return False
        if isinstance(leaf, torch.Tensor):
            if _layout(leaf) != _layout(other):
                return False
        elif type(leaf) is not type(other) or repr(leaf) != repr(other):
            return False
    return True


def _layout(tensor):
    storage = tensor.untyped_storage()
    return (
        tensor.dtype,
        tensor.size(),
        tensor.stride(),
        tensor.storage_offset(),
        storage.nbytes(),
        tensor.requires_grad,
    )


def shuffled(leaves, integers):
    """A copy whose storages hold the same elements in another order; integers only if asked."""
    copies = copied(leaves)
    seen = set()
    for leaf in tensors(copies):
        storage = leaf.untyped_storage()
        if storage._cdata in seen or not (integers or leaf.dtype.is_floating_point):
            continue
        seen.add(storage._cdata)
        count = storage.nbytes() // leaf.element_size()
        flat = torch.empty(0, dtype=leaf.dtype, device=leaf.device).set_(storage, 0, (count,), (1,))
        flat.copy_(flat[torch.randperm(count).to(leaf.device)])
    return copies


def same_contents(leaves, others):
    """Whether all tensors hold the same bytes."""
    return all(
        one.untyped_storage().nbytes() == other.untyped_storage().nbytes()
        and torch.equal(_bytes(one), _bytes(other))
        for one, other in zip(tensors(leaves), tensors(others), strict=True)
    )


def _bytes(tensor):
    storage = tensor.untyped_storage()
    flat = torch.empty(0, dtype=torch.uint8, device=tensor.device)
    return flat.set_(storage, 0, (storage.nbytes(),), (1,))
