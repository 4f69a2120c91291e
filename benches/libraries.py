"""The programs that peers.py measures: the same epoch as each library's users would write it.

A maker takes x and y as NumPy arrays of f32 and a device, "cpu" or "cuda", and returns a Program.
"""

from collections import namedtuple

import numpy as np

RATE = 0.1

# What a maker returns: how to turn a float into the library's own scalar on the device; one call,
# which takes w and b, blocks until all is done and returns w, b, loss, dw, db; and how many epochs
# that call makes, where loss, dw and db hold one value an epoch.
Program = namedtuple("Program", "scalar call epochs", defaults=[1])
Peer = namedtuple("Peer", "name library devices kind make")


def descend(w, b, x, y):
    """The tutorial script's epoch. The compilers (XLA, Inductor) get the same text."""
    yhat = b + w * x
    error = yhat - y
    loss = (error**2).mean()
    db = 2 * error.mean()
    dw = 2 * (x * error).mean()
    return w - RATE * dw, b - RATE * db, loss, dw, db


def numpy_epoch(x, y, _):
    return Program(np.float32, lambda w, b: descend(w, b, x, y))


def numpy_sum(x, y, _):
    return Program(float, lambda *_: (x.sum(), y.sum()))


def numba_epoch(x, y, _):
    import numba

    @numba.njit(fastmath=True)
    def run(x, y, w, b):
        loss, dw, db = np.float32(0), np.float32(0), np.float32(0)
        for i in range(x.size):
            error = b + w * x[i] - y[i]
            loss += error * error
            dw += error * x[i]
            db += error
        return loss, dw, db

    # The totals of short runs in f32, since f64 halves the speed where the data fits a cache, and
    # of all runs in f64, since f32 all the way is off by 9e-5 of mean|term| at 1e8 samples.
    @numba.njit(parallel=True, fastmath=True)
    def means(x, y, w, b):
        loss, dw, db = 0.0, 0.0, 0.0
        for block in numba.prange((x.size + 16383) // 16384):
            at = block * 16384
            part = run(x[at : at + 16384], y[at : at + 16384], w, b)
            loss += part[0]
            dw += part[1]
            db += part[2]
        return loss / x.size, 2 * dw / x.size, 2 * db / x.size

    def epoch(w, b):
        loss, dw, db = means(x, y, np.float32(w), np.float32(b))
        return w - RATE * dw, b - RATE * db, loss, dw, db

    return Program(float, epoch)


def numba_sum(x, y, _):
    import numba

    @numba.njit(fastmath=True)
    def run(x, y):
        sum_x, sum_y = np.float32(0), np.float32(0)
        for i in range(x.size):
            sum_x += x[i]
            sum_y += y[i]
        return sum_x, sum_y

    @numba.njit(parallel=True, fastmath=True)
    def sums(x, y):
        sum_x, sum_y = 0.0, 0.0
        for block in numba.prange((x.size + 16383) // 16384):
            at = block * 16384
            part = run(x[at : at + 16384], y[at : at + 16384])
            sum_x += part[0]
            sum_y += part[1]
        return sum_x, sum_y

    return Program(float, lambda *_: sums(x, y))


def on_jax(x, y, device):
    import jax

    device = jax.devices(device)[0]
    scalar = lambda value: jax.device_put(np.float32(value), device)
    return jax, scalar, jax.device_put(x, device), jax.device_put(y, device)


def jax_epoch(x, y, device):
    jax, scalar, x, y = on_jax(x, y, device)
    epoch = jax.jit(descend)
    return Program(scalar, lambda w, b: jax.block_until_ready(epoch(w, b, x, y)))


def jax_scan(x, y, device):
    jax, scalar, x, y = on_jax(x, y, device)
    # Enough for the call itself not to count, and no more than about a second's worth.
    seconds_worth = 2_000_000_000 if device == "cuda" else 500_000_000
    epochs = min(max(seconds_worth // x.size, 5), 1000)

    def many(w, b, x, y):
        def step(line, _):
            w, b, *seen = descend(*line, x, y)
            return (w, b), seen

        line, seen = jax.lax.scan(step, (w, b), length=epochs)
        return *line, *seen

    many = jax.jit(many)
    return Program(scalar, lambda w, b: jax.block_until_ready(many(w, b, x, y)), epochs)


def on_torch(x, y, device, **options):
    import torch

    settle = torch.cuda.synchronize if device == "cuda" else lambda: None
    scalar = lambda value: torch.tensor(value, device=device, **options)
    return torch, settle, scalar, torch.tensor(x, device=device), torch.tensor(y, device=device)


def torch_epoch(x, y, device):
    torch, settle, scalar, x, y = on_torch(x, y, device, requires_grad=True)

    def epoch(w, b):
        yhat = b + w * x
        loss = ((yhat - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= RATE * w.grad
            b -= RATE * b.grad
        dw, db = w.grad, b.grad
        w.grad = b.grad = None
        settle()
        return w, b, loss, dw, db

    return Program(scalar, epoch)


def torch_compile(x, y, device):
    torch, settle, scalar, x, y = on_torch(x, y, device)
    # Otherwise a second size in one process compiles for sizes of any kind, which runs slower.
    torch._dynamo.reset()
    compiled = torch.compile(descend, dynamic=False)

    def epoch(w, b):
        after = compiled(w, b, x, y)
        settle()
        return after

    return Program(scalar, epoch)


def torch_sum(x, y, device):
    _, settle, _, x, y = on_torch(x, y, device)

    def sums(*_):
        both = x.sum(), y.sum()
        settle()
        return both

    return Program(float, sums)


def cupy_epoch(x, y, _):
    import cupy

    x, y = cupy.asarray(x), cupy.asarray(y)

    def epoch(w, b):
        after = descend(w, b, x, y)
        cupy.cuda.get_current_stream().synchronize()
        return after

    return Program(lambda value: cupy.asarray(value, cupy.float32), epoch)


def sklearn_pass(x, y, _):
    from sklearn.linear_model import SGDRegressor

    model = SGDRegressor(loss="squared_error", penalty=None, shuffle=False)
    column = x.reshape(-1, 1)

    def one_pass(*_):
        model.partial_fit(column, y)
        return model.coef_[0], model.intercept_[0]

    return Program(float, one_pass)


CPU, BOTH, CUDA = ("cpu",), ("cpu", "cuda"), ("cuda",)
# Those of one library stand together: they share a process.
PEERS = [
    Peer("numpy", "numpy", CPU, "epoch", numpy_epoch),
    Peer("numpy.sum", "numpy", CPU, "roof", numpy_sum),
    Peer("numba", "numba", CPU, "epoch", numba_epoch),
    Peer("numba.sum", "numba", CPU, "roof", numba_sum),
    Peer("jax", "jax", BOTH, "epoch", jax_epoch),
    Peer("jax-scan", "jax", BOTH, "epoch", jax_scan),
    Peer("torch", "torch", BOTH, "epoch", torch_epoch),
    Peer("torch-compile", "torch", BOTH, "epoch", torch_compile),
    Peer("torch.sum", "torch", BOTH, "roof", torch_sum),
    Peer("cupy", "cupy", CUDA, "epoch", cupy_epoch),
    Peer("sklearn", "sklearn", CPU, "stochastic", sklearn_pass),
]
NOTES = {
    "epoch": None,
    "roof": "a sum of x and one of y: the same bytes, nothing computed",
    "stochastic": "another algorithm: an update a sample",
}


def brief(error):
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + " ..."


def no_cuda(library):
    """Why this library can't use a GPU, or None."""
    try:
        if library == "torch":
            import torch

            if torch.cuda.is_available():
                return None
            return "no CUDA device" if torch.version.cuda else "built without CUDA"
        if library == "jax":
            import jax

            jax.devices("cuda")
        if library == "cupy":
            import cupy

            cupy.cuda.runtime.getDevice()
        return None
    except Exception as error:  # each library has its own class for this
        return f"no CUDA device ({brief(error)})"
