#!/usr/bin/env python3
"""check_forwarding.py must find a virtual function that is not forwarded, or not called by a kit."""
import pathlib
import shutil
import tempfile
import unittest

import check_forwarding

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = sorted({path for row in check_forwarding.FORWARDED for path in (row[1], row[3])} | set(check_forwarding.KITS))


class CheckForwarding(unittest.TestCase):
    def findings(self, name, old, new):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for file in FILES:
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, root / file)
            text = (root / name).read_text()
            self.assertIn(old, text)
            (root / name).write_text(text.replace(old, new))
            return check_forwarding.check(root)

    def test_the_tree_has_no_findings(self):
        self.assertEqual(check_forwarding.check(ROOT), [])

    def test_a_new_function_of_models(self):
        found = self.findings("lib/include/ntkrob/model/model.hpp", "  virtual void for_each(",
                              "  virtual void forget(const std::function<void(index)>& f) const;\n  virtual void for_each(")
        self.assertEqual(len(found), 3, found)
        self.assertIn("ForwardingModel does not forward Model::forget", found[0])

    def test_a_new_function_of_points(self):
        found = self.findings("lib/include/ntkrob/model/iterates.hpp", "  virtual void keep(",
                              "  virtual index size() const { return 0; }\n  virtual void keep(")
        self.assertTrue(any("ForwardingIterates does not forward Iterates::size" in line for line in found), found)

    def test_a_function_that_is_no_longer_forwarded(self):
        found = self.findings("lib/include/ntkrob/model/forwarding.hpp",
                              "  std::unique_ptr<Iterates> iterates(ConstView2D<float> x) const override;\n", "")
        self.assertEqual(found, ["lib/include/ntkrob/model/forwarding.hpp: ForwardingModel does not forward Model::iterates"])

    def test_a_function_that_a_kit_does_not_call(self):
        found = self.findings("tests/kit/check_model.hpp", "points->zero_gradients()", "zeros_of()")
        self.assertEqual(found, ["tests/kit/check_model.hpp: Iterates::zero_gradients is not called"])


if __name__ == "__main__":
    unittest.main()
