#!/usr/bin/env python3
"""check_layers.py must find each kind of violation: one planted at a time in a small tree."""
import pathlib
import tempfile
import unittest

import check_layers

GOOD = {
    "lib/include/ntkrob/base/view.hpp": "#pragma once\n",
    "lib/include/ntkrob/model/model.hpp": '#pragma once\n#include "ntkrob/base/view.hpp"\n// Eigen may be named here\n',
    "lib/src/base/view.cpp": '#include "ntkrob/base/view.hpp"\n#include "base/private.hpp"\n',
    "lib/src/base/private.hpp": "#pragma once\n",
    "lib/src/model/model.cpp": '#include "ntkrob/model/model.hpp"\n',
    "lib/src/model/CMakeLists.txt": "ntkrob_component(model SOURCES model.cpp PUBLIC ntkrob::base)\n",
    "lib/src/model/losses.def": '// losses\nNTKROB_LOSS(ce, "cross entropy")\nNTKROB_LOSS(mse,\n            "squares")\n',
    "data/src/dataset.cpp": '#include "ntkrob/base/view.hpp"\n',
}


class CheckLayers(unittest.TestCase):
    def findings(self, **changes):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, content in {**GOOD, **changes.get("files", {})}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(content)
            return check_layers.check(root)

    def expect(self, name, content, message):
        findings, _ = self.findings(files={name: content})
        self.assertTrue(any(message in finding for finding in findings), findings)
        self.assertEqual(len(findings), 1, findings)

    def test_a_good_tree_has_no_findings(self):
        self.assertEqual(self.findings(), ([], []))

    def test_upward_include(self):
        self.expect("lib/src/base/view.cpp", '#include "ntkrob/model/model.hpp"\n', "base includes")

    def test_missing_edge(self):
        self.expect("data/src/dataset.cpp", '#include "ntkrob/model/model.hpp"\n', "data includes")

    def test_private_header_of_another_component(self):
        self.expect("lib/src/model/model.cpp", '#include "base/private.hpp"\n', "private to base")

    def test_private_header_in_a_public_one(self):
        self.expect("lib/include/ntkrob/base/view.hpp", '#include "base/private.hpp"\n', "public header includes the private")

    def test_upward_link(self):
        self.expect("lib/src/model/CMakeLists.txt", "ntkrob_component(model SOURCES m.cpp\n  PUBLIC ntkrob::attack)\n",
                    "model links attack")

    def test_table_that_differs(self):
        rows = [f"| `ntkrob::{name}` | {', '.join(links) or '-'} | |" for name, links in check_layers.EDGES.items()]
        self.assertEqual(self.findings(files={"CONTRIBUTING.md": "\n".join(rows)}), ([], []))
        self.expect("CONTRIBUTING.md", "\n".join(rows[1:]), "the row of base says None")

    def test_unknown_component(self):
        self.expect("lib/src/utils/x.cpp", "\n", "no known component")

    def test_heavy_name_in_a_public_header(self):
        self.expect("lib/include/ntkrob/base/view.hpp", "#include <Eigen/Core>\n", "names Eigen")
        self.expect("lib/include/ntkrob/base/view.hpp", "#include <iostream>\n", "names <iostream>")
        self.expect("lib/include/ntkrob/base/view.hpp", "using Id = H5Id;\n", "names H5Id")

    def test_unsorted_repeated_or_foreign_def_entries(self):
        self.expect("lib/src/model/losses.def", 'NTKROB_LOSS(mse, "b")\nNTKROB_LOSS(ce, "a")\n', "ce is out of order")
        self.expect("lib/src/model/losses.def", 'NTKROB_LOSS(ce, "a")\nNTKROB_LOSS(ce, "b")\n', "not unique")
        self.expect("lib/src/model/losses.def", "int x;\n", "neither an entry nor a comment")

    def test_a_def_file_may_state_another_order(self):
        text = '// Tried in the order of this list.\nNTKROB_LOSS(mse, "b")\nNTKROB_LOSS(ce, "a")\n'
        self.assertEqual(self.findings(files={"lib/src/model/losses.def": text}), ([], []))

    def test_flags_in_texts_below_the_command(self):
        self.expect("lib/src/base/view.cpp", 'f("raise --memory");\n', "view.cpp:1: the text \"raise --memory\" names a flag")
        self.expect("lib/src/base/view.cpp", 'f("--x");\n', "names a flag")
        self.expect("lib/src/base/view.cpp", 'f("the run had --" + name);\n', "names a flag")
        self.expect("data/src/rules.def", 'NTKROB_RULE(a, "give --layout ND")\n', "names a flag")
        allowed = '// --memory in a comment\nf("a -- b", "---", field("memory"));\n'
        self.assertEqual(self.findings(files={"lib/src/base/view.cpp": allowed}), ([], []))
        self.assertEqual(self.findings(files={"cli/main.cpp": 'f("--help");\n'}), ([], []))

    def test_a_command_that_grows(self):
        files = {f"cli/{k}.cpp": "\n" * 400 for k in range(9)}
        self.assertEqual(self.findings(files=files), ([], []))
        findings, _ = self.findings(files={**files, "cli/9.cpp": "\n"})
        self.assertEqual(len(findings), 1)
        self.assertIn("cli: 3601 lines, the limit is 3600", findings[0])

    def test_long_files(self):
        self.expect("lib/src/model/model.cpp", "\n" * 601, "the limit is 600")
        findings, warnings = self.findings(files={"lib/src/model/model.cpp": "\n" * 401})
        self.assertEqual((findings, len(warnings)), ([], 1))


if __name__ == "__main__":
    unittest.main()
