"""Runs the tables, each in a child process, and keeps the document.

A child that ends by itself, or says nothing for longer than `patience`, costs the cell it was at: that becomes a
failure, and another child goes on without that column in that row.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time

from gpuos.bench import document, java, tables

# Children that may end in one row: more than there are columns.
_ATTEMPTS = 12


class Suite:
    """One run. `document` is complete, or tells in `interrupted` why not."""

    def __init__(self, settings, environment, path, progress):
        self.settings = settings
        self.path = path
        self.progress = progress
        self.begin = time.time()
        self.document = {
            "format": document.FORMAT,
            "version": document.VERSION,
            "complete": False,
            "interrupted": None,
            "environment": environment,
            "settings": settings,
            "columns": [],
            "java": None,
            "tables": [],
        }

    def run(self, chosen, resumed=None):
        """Measures the chosen tables; rows of `resumed` that are done are kept."""
        from gpuos.bench import columns

        self.document["columns"] = [column.describe() for column in columns.COLUMNS]
        try:
            for table in chosen:
                self.document["tables"].append(table.describe())
            kept = self._keep(resumed)
            self.java(chosen)
            self._java_tables()
            for number, table in enumerate(chosen):
                if table.name in java.ALONE:
                    continue
                self._table(table, self.document["tables"][number], f"{number + 1} of {len(chosen)}", kept)
            self.document["complete"] = all(
                document.is_done(row) for table in self.document["tables"] for row in table["rows"]
            )
            if not self.document["complete"]:
                self.document["interrupted"] = f"the time limit of {self.settings['time_limit']:g} s"
        except KeyboardInterrupt:
            self.document["interrupted"] = "Ctrl-C"
        self.document["seconds"] = time.time() - self.begin + (resumed or {}).get("seconds", 0)
        self.save()
        return self.document

    def save(self):
        if self.path:
            document.write(self.path, document.encode(self.document))

    def _keep(self, resumed):
        """Puts back the rows that an earlier run has finished; returns their number."""
        kept = 0
        for table in (resumed or {}).get("tables", ()):
            for mine in self.document["tables"]:
                if mine["name"] == table["name"]:
                    mine["rows"] = [row for row in table["rows"] if document.is_done(row)]
                    kept += len(mine["rows"])
        if resumed:
            self.document["java"] = resumed.get("java")
            self.progress(f"goes on with {self.path}: {kept} rows are done")
        return kept

    def java(self, chosen):
        """Has the Java columns measured, unless that was done, or their document was given."""
        if self.document["java"] is None:
            self.document["java"] = java.measure(self.settings, [t.name for t in chosen], self.progress)

    def _java_tables(self):
        """Tables that Java alone has come as they are, or as a cell that says why there is none."""
        made = {table["name"]: table for table in self.document["java"]["tables"]}
        for described in self.document["tables"]:
            if described["name"] in java.ALONE:
                if described["name"] in made:
                    described.update(made[described["name"]])
                else:
                    reason = self.document["java"].get("reason") or "the Java run has no such table"
                    cells = {"adds": document.missing("absent", reason)}
                    described["rows"] = [{"name": "all", "what": "", "cells": cells}]

    def _table(self, table, described, place, kept):
        rows = described["rows"]
        excluded, attempts = {}, {}
        wanted = [name for name, _ in table.rows(self.settings)]
        while len(rows) < len(wanted):
            row = wanted[len(rows)]
            attempts[row] = attempts.get(row, 0) + 1
            verdict = self._child(table, rows, excluded, place)
            if len(rows) < len(wanted) and wanted[len(rows)] == row and attempts[row] == _ATTEMPTS:
                failed = document.missing("failed", verdict or "the process ended before it")
                rows.append({"name": row, "what": "", "cells": {table.base: failed}})
        self.save()

    def _child(self, table, rows, excluded, place):
        """Runs a child to its end; returns what was wrong with it, or None."""
        child = _Child(
            {
                "table": table.name,
                "settings": self.settings,
                "done": [row["name"] for row in rows],
                "excluded": excluded,
            }
        )
        at = {"row": None, "column": None, "phase": "starting"}
        try:
            while True:
                event = child.next(self.settings["patience_s"])
                if event is None:
                    verdict = child.verdict(self.settings["patience_s"])
                    _blame(at, excluded, verdict, table.base)
                    return verdict
                if event["at"] == "end":
                    return None
                if event["at"] == "broken":
                    excluded.setdefault(event["column"], {})[at["row"]] = event["cell"]
                    return event["cell"]["reason"]
                if event["at"] == "row":
                    at = {"row": event["row"], "column": None, "phase": ""}
                    self.progress(f"{table.name} ({place}): {event['row']}")
                elif event["at"] == "column":
                    at.update(column=event["column"], phase=event["phase"])
                    self.progress(
                        f"{table.name} ({place}): {at['row']}: {event['column']}, {event['phase']}", True
                    )
                elif event["at"] == "done":
                    row = event["row"]
                    java.add(self.document["java"], table.name, row)
                    rows.append(row)
                    at = {"row": None, "column": None, "phase": "between rows"}
                    self.save()
        finally:
            child.close()


def _blame(at, excluded, verdict, base):
    """The column that was at it is not tried again in that row."""
    if at["row"] is None:
        return
    reason = f"{verdict}, while {at['phase'] or 'making operands'}"
    excluded.setdefault(at["column"] or base, {})[at["row"]] = document.missing("failed", reason)


class _Child:
    """A child process, of its own group: Ctrl-C reaches the parent alone, which ends it."""

    def __init__(self, request):
        environment = dict(os.environ)
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        environment["PYTHONPATH"] = os.pathsep.join(
            part for part in (root, environment.get("PYTHONPATH")) if part
        )
        # The JVM and faulthandler claim the same signals.
        environment.pop("PYTHONFAULTHANDLER", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gpuos.bench.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=environment,
        )
        self.events = queue.Queue()
        self.last_words = []
        self.silent = False
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended, and the reader says so

    def _read(self):
        for line in self.process.stdout:
            try:
                self.events.put(json.loads(line))
            except ValueError:
                continue
        self.events.put(None)

    def _listen(self):
        for line in self.process.stderr:
            self.last_words = [*self.last_words[-19:], line.rstrip()]

    def next(self, patience):
        """The next event; None where there will be none."""
        try:
            return self.events.get(timeout=patience)
        except queue.Empty:
            self.silent = True
            return None

    def verdict(self, patience):
        """Why there is no event."""
        if self.silent:
            return f"no answer within {patience:g} s"
        code = self.process.wait()
        words = next((line for line in reversed(self.last_words) if line.strip()), "")
        ended = f"by signal {-code}" if code < 0 else f"with code {code}"
        return f"the process ended {ended}: {words}"

    def close(self):
        """Ends it, with what it has started."""
        from gpuos.bench.processes import end_group

        if self.process.poll() is None and not self.silent:
            try:
                self.process.wait(timeout=10)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                pass
        end_group(self.process)
