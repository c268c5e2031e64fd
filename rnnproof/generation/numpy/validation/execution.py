"""The statements of a generated function, executed on memory that holds values instead of numbers."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rnnproof.generation.numpy.names import RESERVED
from rnnproof.generation.numpy.template import TABLES
from rnnproof.generation.numpy.validation.array_operations import repeated
from rnnproof.generation.numpy.validation.evaluation import OPERATORS, Expressions
from rnnproof.generation.numpy.validation.memory import AFTER, BEFORE, START, Array, Operand, View
from rnnproof.generation.numpy.validation.symbolic_values import Segment, Terms, ValidationError, Value

PACKS_LATE = "packed = packed._replace(arrays=_pack(packed.given, sizes))"

# How functions begin, the same for every cell: what a statement needs, and what it binds.
_ENTERED = ("xs", "first", "steps", "batch", "sizes", "dtype")
_PROLOGUE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "given, sizes = _checked(params, SIGNATURE)": ((), ("given", "sizes")),
    "dtype = np.result_type(*given.values())": (("given",), ("dtype",)),
    "packed = params if isinstance(params, Packed) else prepare(params)": ((), ("packed.arrays",)),
    "xs, first, steps, batch, sizes, dtype = _entered(packed, xs, initial, SIGNATURE)": (("packed.arrays",), _ENTERED),
    PACKS_LATE: (("packed.arrays", "sizes"), ("packed.arrays",)),
    "fixed = _constants(constants, steps, batch, sizes, dtype, SIGNATURE)": (("steps", "batch", "sizes", "dtype"), ("fixed",)),
    "packed, tape = (trace.packed, trace.tape)": ((), ("packed.arrays", "packed.given", "tape")),
    "seeds, steps, batch, sizes, dtype = _seeded(trace, d_states, SIGNATURE)": (
        (),
        ("seeds", "steps", "batch", "sizes", "dtype"),
    ),
}


# What is bound by name is one of RESERVED, and no variable of a cell gets one of those.
_BOUND = {name.partition(".")[0] for _, bound in _PROLOGUE.values() for name in bound}
if not _BOUND <= RESERVED:
    raise AssertionError(f"a variable of a cell could be called {', '.join(sorted(_BOUND - RESERVED))}")


class Execution:
    """One function. `given` has what its first statements bind; `carries` and `states` have values before and after a step."""

    def __init__(
        self,
        terms: Terms,
        known: int,
        given: Mapping[str, Any],
        *,
        carries: Mapping[str, tuple[Value, Value]] | None = None,
        states: Mapping[str, tuple[Value, Value]] | None = None,
        backward: bool = False,
    ) -> None:
        self.terms, self.known, self.backward = terms, known, backward
        self.given = {"sizes": {}, "steps": "t", "batch": "b", "dtype": "dtype", **given}
        self.scope = Expressions(terms, {})
        self.carries, self.states = carries or {}, states or {}
        self.arrays: list[Array] = []
        self.carried: dict[str, str] = {}
        self.begun: set[str] = set()
        self.ahead: frozenset[str] = frozenset()  # in the loop, the names that were bound before it
        self.returned: ast.expr | None = None
        self.node: ast.stmt | None = None

    def run(self, function: ast.FunctionDef) -> None:
        """Execute the body of a function. After a ValidationError `node` is the statement at fault."""
        for statement in function.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id="initial")], value=ast.Dict(keys=keys, values=values)):
                    for key, value in zip(keys, values, strict=True):
                        if isinstance(key, ast.Constant) and isinstance(value, ast.Attribute) and value.attr == "T":
                            self.carried[str(key.value)] = ast.unparse(value.value)
        *body, last = function.body
        for statement in body:
            self.statement(statement)
        self.node = last
        if not isinstance(last, ast.Return):
            raise ValidationError("a function should end by returning")
        self.returned = last.value

    def statement(self, statement: ast.stmt) -> None:
        """Execute a statement."""
        self.node = statement
        match statement:
            case ast.Expr(value=ast.Constant()):
                pass
            case ast.Assign(targets=[target]):
                self._assign(target, statement.value, statement)
            case ast.AugAssign(target=ast.Name() as target, op=op, value=value) if type(op) in OPERATORS:
                read = ast.Name(target.id, ast.Load())
                self.write(self.scope.expression(read), self.scope.ufunc(OPERATORS[type(op)], [read, value]))
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=name), args=args, keywords=keywords)):
                options = {str(keyword.arg): keyword.value for keyword in keywords}
                if "out" not in options:
                    raise ValidationError("computes what nothing holds")
                target = self.scope.expression(options.pop("out"))
                self.write(target, self.scope.numpy(name, args, options))
            case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=args, keywords=[ast.keyword(arg="out", value=out)])):
                self.write(self.scope.expression(out), self.scope.expression(ast.Call(ast.Name(name), args, [])))
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=target, attr="fill"), args=[number])):
                view = self._array(target)
                self.write(view, Operand(self.terms.uniform(view.rows, "fill", self.scope.number(number)), view.axes))
            case ast.For():
                self.loop(statement)
            case _:
                raise ValidationError("a statement the validation does not know")

    def _assign(self, target: ast.expr, value: ast.expr, statement: ast.stmt) -> None:
        match target, value:
            case ast.Tuple(elts=names), ast.Call(func=ast.Name(id="_arrays"), args=args):
                for name, shape in zip(names, args[1:], strict=True):
                    self.bind(_name(name), self.scope.allocate(shape, args[0]))
            case ((ast.Tuple() | ast.Name(id="packed" | "dtype" | "fixed")), _):
                text = ast.unparse(statement)
                needed, bound = _PROLOGUE.get(text, ((), ()))
                if text not in _PROLOGUE or self.scope.place == "in" or not self.scope.names.keys() >= set(needed):
                    raise ValidationError("a statement that should not stand here")
                self.begun.add(text)
                self.scope.names.update({name: self.given[name] for name in bound if name in self.given})
            case ast.Name(id=name), ast.Dict(keys=keys, values=values):
                self._set(name, {_text(key): self._entry(entry) for key, entry in zip(keys, values, strict=True)})
            case ast.Name(id=name), ast.Subscript(value=ast.Name(id="sizes"), slice=ast.Constant()):
                self._set(name, self.scope.extent(value))
            case ast.Name(id=name), _:
                self.bind(name, self.scope.expression(value))
            case ast.Subscript(value=base, slice=where), _:
                self.write(self._target(base, where), self.scope.operand(value, any_dtype=True))
            case _:
                raise ValidationError("an assignment the validation does not know")

    def bind(self, name: str, bound: Any) -> None:
        """Give a name to a view, or to what was computed: that lies in an array of its own."""
        if isinstance(bound, View):
            if not bound.array.name:
                bound.array.name = name
                self.arrays.append(bound.array)
        elif isinstance(bound, Operand) and bound.float64:
            raise ValidationError(f"{name} is float64 whatever the arguments are")
        elif isinstance(bound, Operand) and bound.view is None and bound.axes in ("rb", "trb"):
            value = self.computed(bound)
            array = Array(name, bound.axes, self.terms.rows(value))
            array.fill("", value)
            self.arrays.append(array)
            bound = View.whole(array)
        elif isinstance(bound, Operand):
            self.computed(bound)
        self._set(name, bound)

    def _set(self, name: str, bound: Any) -> None:
        if name in RESERVED and name not in TABLES:
            raise ValidationError(f"binds {name}, which has a meaning of its own")
        if name in self.ahead:
            raise ValidationError(f"binds {name} in the loop, which every step is taken to find as it was ahead of it")
        self.scope.names[name] = bound

    def _entry(self, node: ast.expr) -> View | Operand:
        """What a table holds."""
        entry = self.scope.expression(node)
        if isinstance(entry, View) and not entry.array.name:
            entry.array.name = ast.unparse(node)
            self.arrays.append(entry.array)
        if not isinstance(entry, (View, Operand)):
            raise ValidationError(f"{ast.unparse(node)} is no array")
        return entry

    def computed(self, operand: Operand) -> Value:
        """A value that the Program knows; anything else is a wrong operand somewhere."""
        for term, _, _ in operand.value:
            key = self.terms.keys[term]
            if term >= self.known and key[0] not in ("fill", "zeros_like"):
                arguments = [self.terms.describe(argument) for argument in key[1:] if isinstance(argument, tuple)]
                raise ValidationError(
                    f"computes {self.terms.describe(((term, 0, 0),))}, which is no value of the Program; "
                    f"its operands hold {' and '.join(arguments) or 'numbers'}"
                )
        return operand.value

    def write(self, target: View, operand: Operand) -> None:
        value = self.computed(operand)
        if not isinstance(target, View):
            raise ValidationError("writes into what is no array of this function")
        if operand.axes not in (target.axes, "p") and (operand.axes, target.axes) != ("tp", "trb"):
            raise ValidationError(f"writes an array with axes {operand.axes} into one with axes {target.axes}")
        if operand.axes in ("p", "tp") and self.terms.columns(value) != 1:
            raise ValidationError("writes a matrix into columns")
        when = {START: "ahead of", BEFORE: "in", AFTER: "in"}.get(target.time, self.scope.place)
        if when != self.scope.place or (self.scope.place == "in" and "t" in target.axes):
            raise ValidationError(f"writes {target.array.name}{target.time} {self.scope.place} the loop")
        if self.terms.rows(value) == 1:
            value = repeated(self.terms, value, target.rows)
        target.write(self.terms, value)

    def _target(self, base: ast.expr, where: ast.expr) -> View:
        """out[...] is all of it, out[a:b] some rows, h_seq[0] where a state starts."""
        view = self._array(base)
        if isinstance(where, ast.Constant) and where.value is ...:
            return view
        part: View = self.scope.part(view, where)
        return part

    def _array(self, base: ast.expr) -> View:
        view = self.scope.expression(base)
        if not isinstance(view, View):
            raise ValidationError(f"writes into {ast.unparse(base)}, which is no array of this function")
        return view

    # the loop

    def loop(self, statement: ast.For) -> None:
        """The loop over the steps, by induction: a step is executed once, from what every step finds.

        Each step finds the sequences as they are ahead of the loop, the states and carries as the step before left them, and
        in the other arrays nothing that it may read.
        """
        if statement.orelse or self.scope.place != "ahead of":
            raise ValidationError("a second loop")
        bound = {key: self.scope.names.get(name) for key, name in self.carried.items()}
        carried = {key: view for key, view in bound.items() if isinstance(view, View) and key in self.carries}
        starts = self._enter(carried)
        self.ahead = frozenset(self.scope.names)
        for name, view in _iterated(statement, self.scope, self.backward):
            if not isinstance(view, View) or view.axes[:1] != "t":
                if not (isinstance(view, Operand) and view.axes == "tp"):
                    raise ValidationError(f"{name} does not run over the steps of an array")
                self._set(name, replace(view, axes="p"))
            else:
                self._set(name, replace(view, axes=view.axes[1:]))
        self.scope.place = "in"
        for inner in statement.body:
            self.statement(inner)
        self.node, self.scope.place = statement, "after"
        for name in self.scope.names.keys() - self.ahead:  # they are the last step's
            del self.scope.names[name]
        self.ahead = frozenset()
        self._leave(carried, starts)

    def _enter(self, carried: Mapping[str, View]) -> dict[str, Value]:
        """What a step finds; returns what it finds in the arrays of the states."""
        starts = {}
        for view in carried.values():
            if view.read(self.terms) != self.terms.zeros(view.rows):
                raise ValidationError(f"{view.array.name} should be zero ahead of the loop: nothing comes after the last step")
        for array in self.arrays:
            if START in array.contents:
                starts[array.name] = self._renamed(View.whole(array, START).read(self.terms), 0)
                array.fill(BEFORE, starts[array.name])
                array.forget(AFTER, "this step has not written there yet")
            elif "t" not in array.axes:
                array.forget("", "what lies there was left by another step")
        for key, view in carried.items():
            view.write(self.terms, self.carries[key][0])
        return starts

    def _renamed(self, initial: Value, which: int) -> Value:
        """What the state's array holds before (0) or after (1) any step, from what it holds at the start."""
        segments: list[Segment] = []
        for term, start, stop in initial:
            role, *key = self.terms.keys[term]
            if role != "initial":
                raise ValidationError(f"a state starts from {self.terms.describe(initial)}, which is no initial state")
            segments += self.terms.part(self.states[str(key[0])][which], start, stop)
        return self.terms.join(segments)

    def _leave(self, carried: Mapping[str, View], starts: Mapping[str, Value]) -> None:
        """The step has left what the next one is taken to find."""
        for array in self.arrays:
            if START in array.contents:
                self._expect(View.whole(array, BEFORE), starts[array.name], "was overwritten: the state before the step")
                after = self._renamed(View.whole(array, START).read(self.terms), 1)
                self._expect(View.whole(array, AFTER), after, "is read by the next step as the state")
        for key, view in carried.items():
            self._expect(view, self.carries[key][1], f"is read by the step before as what comes back to {key}:")
        carried_arrays = {id(view.array) for view in carried.values()}
        for array in self.arrays:
            if "t" not in array.axes and id(array) not in carried_arrays:
                array.forget("", "the loop has ended")

    def _expect(self, view: View, due: Value, what: str) -> None:
        value = view.read(self.terms)
        if value != due:
            holds, should = self.terms.describe(value), self.terms.describe(due)
            raise ValidationError(f"at the end of a step {view.array.name}{view.time} {what} {should}, but it holds {holds}")


def _name(node: ast.expr) -> str:
    if not isinstance(node, ast.Name):
        raise ValidationError(f"{ast.unparse(node)} is no name")
    return node.id


def _text(node: ast.expr | None) -> str:
    if not isinstance(node, ast.Constant):
        raise ValidationError("a table whose keys are no texts")
    return str(node.value)


def _iterated(statement: ast.For, scope: Expressions, backward: bool) -> list[tuple[str, Any]]:
    """The names that a step binds, each with the array it takes a step of."""
    match statement.iter:
        case ast.Call(func=ast.Name(id="range"), args=[ast.Name(id="steps")]):
            return []
        case ast.Call(
            func=ast.Name(id="zip"), args=sources, keywords=[ast.keyword(arg="strict", value=ast.Constant(value=True))]
        ):
            pass
        case source:
            sources = [source]
    names = statement.target.elts if isinstance(statement.target, ast.Tuple) else [statement.target]
    if len({_name(name) for name in names}) != len(names):
        raise ValidationError("a name that stands for two arrays")
    pairs = []
    for name, source in zip(names, sources, strict=True):
        match source:
            case ast.Subscript(
                value=inner, slice=ast.Slice(lower=None, upper=None, step=ast.UnaryOp(ast.USub(), ast.Constant(1)))
            ) if backward:
                source = inner
            case _ if backward:
                raise ValidationError(f"{ast.unparse(source)} runs forward in time")
        pairs.append((_name(name), scope.expression(source)))
    return pairs
