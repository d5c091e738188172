"""Which statements a Citus cluster runs, told from their text: the forms that the engine keeps to.

A cluster sends a statement about one owner to the node that has it, whatever is in it. One about many owners goes to
every node that has some of them, and each node must be able to do its part alone: so tables are joined by the owner of
their rows only, and there are no subqueries. A cluster can do some more than that; what it can is hard to tell.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from pglast import ast, parse_sql
from pglast.enums import A_Expr_Kind, BoolExprType, JoinType
from pglast.parser import ParseError

# The column by which the rows of a table are spread. All are spread alike, so that an owner's rows are together, but
# tokens.
DISTRIBUTED = {
    "standing": "mid",
    "account": "mid",
    "upstat": "mid",
    "relation": "owner",
    "follower": "owner",
    "grouped": "owner",
    "own_group": "owner",
    "token": "digest",
}
APART = {"token"}

# What is on one node alone. Every catalogue is as well.
LOCAL = {"account_change", "change_counter", "mark", "own_group_id", "schema_version"}
CATALOGUE = "pg_"

# The forms
ONE_OWNER = "about one owner"
BY_KEY = "rows by key"
GIVEN_ROWS = "rows that are given"
ONE_TABLE = "one table on all nodes"
ON_ONE_NODE = "nothing that is distributed"

_QUERIES = (ast.SelectStmt, ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt)


class RefusedError(Exception):
    """A statement in no form; the text says why."""


class _Key(NamedTuple):
    """The distribution column of a table in a query."""

    alias: str


class _Term(NamedTuple):
    """What a distribution column is equal to: a parameter, one of many in a parameter, or a column of given rows."""

    kind: str
    name: str


_Operand: TypeAlias = _Key | _Term | None


class _Condition(NamedTuple):
    """An equality, and the tables whose rows it can keep away."""

    left: _Operand
    right: _Operand
    within: frozenset[str]


def form(sql: str) -> str:
    """The form of a statement; RefusedError if it has none."""
    try:
        statements = parse_sql(sql)
    except ParseError as error:
        raise RefusedError(f"it is no SQL: {error}") from None
    if len(statements) != 1 or not isinstance(statements[0].stmt, _QUERIES):
        raise RefusedError("it is not one statement that reads or writes rows")
    statement: Any = statements[0].stmt
    nodes = list(_walk(statement))
    if any(isinstance(node, ast.WithClause) for node in nodes):
        raise RefusedError("it has a WITH")
    if not _reads_distributed({node.relname for node in nodes if isinstance(node, ast.RangeVar)}):
        return ON_ONE_NODE
    levels = [_Level(node) for node in nodes if isinstance(node, _QUERIES)]
    if isinstance(statement, ast.InsertStmt):
        return _form_of_insert(statement, levels)
    if isinstance(statement, ast.UpdateStmt):
        _refuse_to_move(statement.relation, statement.targetList)
    return _form_of_levels(levels, locks=any(isinstance(node, ast.LockingClause) for node in nodes))


def _reads_distributed(tables: set[str | None]) -> bool:
    """Whether a statement has to do with distributed tables, which can then be joined at all."""
    names = {name or "" for name in tables}
    distributed = names.intersection(DISTRIBUTED)
    for name in sorted(names - distributed - LOCAL):
        if not name.startswith(CATALOGUE):
            raise RefusedError(f"nobody knows where {name} is")
    if distributed and names - distributed:
        raise RefusedError("it joins what is distributed with what is not")
    if distributed & APART and distributed - APART:
        raise RefusedError("it joins tables that are spread by different things")
    return bool(distributed)


def _form_of_levels(levels: "list[_Level]", *, locks: bool) -> str:
    terms = {term for level in levels for term in level.terms()}
    term = terms.pop() if len(terms) == 1 else None
    if term is not None and term.kind == "parameter":
        return ONE_OWNER
    if locks:
        raise RefusedError("it locks rows of many owners")
    if len(levels) > 1:
        raise RefusedError("it has a subquery, and is not about one owner")
    (level,) = levels
    if level.calls:
        raise RefusedError(f"it reads from {', '.join(sorted(level.calls))}")
    if term is not None and term.kind == "column" and len(level.given) == 1:
        return GIVEN_ROWS
    if term is not None and term.kind == "any" and not level.given:
        return BY_KEY
    if len(level.tables) == 1 and not level.given:
        return ONE_TABLE
    raise RefusedError("its tables are not all found by the same key")


def _form_of_insert(statement: Any, levels: "list[_Level]") -> str:
    table = statement.relation.relname
    columns = [column.name for column in statement.cols or ()]
    if DISTRIBUTED[table] not in columns:
        raise RefusedError("it does not say which column the owner is in")
    conflict = statement.onConflictClause
    if conflict is not None:
        _refuse_to_move(statement.relation, conflict.targetList)
        if calls(conflict):
            raise RefusedError("it calls a function for rows that are there already")
        keys = [element.name for element in conflict.infer.indexElems] if conflict.infer else []
        if DISTRIBUTED[table] not in keys:
            raise RefusedError("rows that are there already are not told by their owner")
    rows = statement.selectStmt
    if rows.valuesLists is not None:
        if len(levels) == 2 and len(rows.valuesLists) == 1:
            owner = levels[0].operand(rows.valuesLists[0][columns.index(DISTRIBUTED[table])])
            if isinstance(owner, _Term) and owner.kind == "parameter":
                return ONE_OWNER
        raise RefusedError("it is not one row of an owner that is given")
    inner = [level for level in levels if level.query is rows]
    plain = len(levels) == 2 and not inner[0].tables and len(inner[0].given) == 1
    if not plain or calls(rows) != {"unnest"}:
        raise RefusedError("its rows are not just those that are given")
    return GIVEN_ROWS


def _refuse_to_move(relation: Any, targets: Any) -> None:
    if any(target.name == DISTRIBUTED[relation.relname] for target in targets or ()):
        raise RefusedError("it gives rows to another owner")


class _Level:
    """One query without those inside it: the distributed tables, the given rows, and what they are joined by."""

    def __init__(self, query: Any) -> None:
        self.query = query
        self.tables: dict[str, str] = {}
        self.given: dict[str, tuple[str, ...]] = {}
        self.calls: set[str] = set()
        self._sources = 0
        self._conditions: list[_Condition] = []
        items = [getattr(query, name, None) for name in ("relation", "fromClause", "usingClause")]
        everything: frozenset[str] = frozenset()
        for item in items:
            for each in item if isinstance(item, tuple) else (item,):
                everything |= self._add(each)
        self._note(getattr(query, "whereClause", None), everything)

    def terms(self) -> list[_Term | None]:
        """What the distribution column of each table is equal to, as far as that is known."""
        found: dict[str, _Term] = {}
        known = -1
        while known < len(found):
            known = len(found)
            for left, right, within in self._conditions:
                for one, other in ((left, right), (right, left)):
                    term = found.get(other.alias) if isinstance(other, _Key) else other
                    if isinstance(one, _Key) and one.alias in within and term is not None:
                        found.setdefault(one.alias, term)
        return [found.get(alias) for alias in self.tables]

    def operand(self, node: Any) -> _Operand:
        """One side of an equality, if it is of any use."""
        while isinstance(node, ast.TypeCast):
            node = node.arg
        if isinstance(node, ast.ParamRef):
            return _Term("parameter", f"${node.number}")
        fields: tuple[Any, ...] = (node.fields or ()) if isinstance(node, ast.ColumnRef) else ()
        if not fields or any(not isinstance(field, ast.String) for field in fields):
            return None
        *qualifier, column = (field.sval for field in fields)
        aliases = qualifier or ([*self.tables, *self.given] if self._sources == 1 else [])
        for alias in aliases:
            if column == DISTRIBUTED.get(self.tables.get(alias, "")):
                return _Key(alias)
            if column in self.given.get(alias, ()):
                return _Term("column", f"{alias}.{column}")
        return None

    def _add(self, item: Any) -> frozenset[str]:
        """Take in a part of FROM; the names it has there."""
        if item is None:
            return frozenset()
        if isinstance(item, ast.JoinExpr):
            return self._add_join(item)
        self._sources += 1
        alias = item.alias.aliasname if item.alias else ""
        if isinstance(item, ast.RangeVar):
            alias = alias or str(item.relname)
            self.tables[alias] = str(item.relname)
        elif isinstance(item, ast.RangeFunction):
            self.calls |= calls(item.functions) - {"unnest"}
            columns = tuple(name.sval for name in item.alias.colnames or ()) if item.alias else ()
            self.given[alias] = columns or (alias,)
        return frozenset((alias,))

    def _add_join(self, join: Any) -> frozenset[str]:
        left, right = self._add(join.larg), self._add(join.rarg)
        if join.isNatural or join.usingClause:
            raise RefusedError("it does not say what a join is on")
        if join.jointype == JoinType.JOIN_INNER:
            self._note(join.quals, left | right)
        elif join.jointype == JoinType.JOIN_LEFT:
            if left <= set(self.given):
                raise RefusedError("it keeps given rows that no node has anything for")
            self._note(join.quals, right)
        else:
            raise RefusedError("it has a right or a full join")
        return left | right

    def _note(self, node: Any, within: frozenset[str]) -> None:
        """Take in the equalities of a condition that all hold."""
        if isinstance(node, ast.BoolExpr) and node.boolop == BoolExprType.AND_EXPR:
            for part in node.args or ():
                self._note(part, within)
        elif isinstance(node, ast.A_Expr) and [part.sval for part in node.name or ()] == ["="]:
            left, right = self.operand(node.lexpr), self.operand(node.rexpr)
            if node.kind == A_Expr_Kind.AEXPR_OP_ANY and isinstance(right, _Term):
                self._conditions.append(_Condition(left, right._replace(kind="any"), within))
            elif node.kind == A_Expr_Kind.AEXPR_OP:
                self._conditions.append(_Condition(left, right, within))


def calls(node: Any) -> set[str]:
    """The names of the functions that are called."""
    return {(each.funcname or ())[-1].sval for each in _walk(node) if isinstance(each, ast.FuncCall)}


def _walk(node: Any) -> Iterator[Any]:
    """The node and all below it."""
    if isinstance(node, tuple):
        for each in node:
            yield from _walk(each)
    elif isinstance(node, ast.Node):
        yield node
        for name in node:
            yield from _walk(getattr(node, name))
