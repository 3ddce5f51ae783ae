#!/bin/bash
# OpenCV's ONNX importer does not read count_include_pad of AveragePool.
#
# What: a graph of one AveragePool (opset 13, kernel 3 x 3, stride 1, pads 1) on an image of ones 4 x 4. The operator's
# definition: with count_include_pad = 1 the sum of a window is divided by 9, the corner is 4/9; with 0, the default, by
# the pixels inside the image, the corner is 1. OpenCV divides by the pixels inside whatever the attribute says, unless
# the model's producer_name is "pytorch", and then by 9 whatever the attribute says. A zero Pad node before a pool without
# padding is computed as defined.
# Seen: OpenCV 4.6.0 (Debian 12, python3-opencv) and 4.10.0 (npm, @techstark/opencv-js 4.10.0-release.1). ONNX Runtime
# 1.17.0 computes all of them as defined.
# Needs: Debian 12's python3-opencv, python3-onnx and python3-numpy; for 4.10.0 also node and npm, which are not tried
# where they are absent. Installs nothing but that npm package, in a temporary folder.
# Exit: 0 where the behaviour is the one above, 1 where it has changed, 2 where a tool is missing.
set -euo pipefail
python=${PYTHON:-/usr/bin/python3}
if ! "$python" -c 'import cv2, numpy, onnx' 2> /dev/null; then
  echo "needs Python with OpenCV, ONNX and NumPy: apt-get install python3-opencv python3-onnx python3-numpy"
  exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat > "$folder/make.py" <<'PYTHON'
"""Writes the models, and what the operator's definition gives at the corner."""
import json
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

cases = {}
for producer in ("somebody", "pytorch"):
    for include in (0, 1):
        pool = helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1],
                                count_include_pad=include)
        cases[f"count_include_pad={include} producer={producer}"] = ([pool], [], producer, 4 / 9 if include else 1)
pad = helper.make_node("Pad", ["x", "pads"], ["padded"])
pool = helper.make_node("AveragePool", ["padded"], ["y"], kernel_shape=[3, 3], strides=[1, 1])
pads = numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64), "pads")
cases["Pad before AveragePool"] = ([pad, pool], [pads], "somebody", 4 / 9)
index = []
for k, (name, (nodes, tensors, producer, corner)) in enumerate(cases.items()):
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 4, 4])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 4, 4])], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name=producer)
    model.ir_version = 7
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, f"{sys.argv[1]}/{k}.onnx")
    index.append({"name": name, "file": f"{k}.onnx", "defined": corner})
json.dump(index, open(f"{sys.argv[1]}/index.json", "w"))
PYTHON
"$python" "$folder/make.py" "$folder"

cat > "$folder/opencv.py" <<'PYTHON'
import json
import sys

import cv2
import numpy as np

print("OpenCV", cv2.__version__)
for case in json.load(open(sys.argv[1] + "/index.json")):
    net = cv2.dnn.readNetFromONNX(f"{sys.argv[1]}/{case['file']}")
    net.setInput(np.ones((1, 1, 4, 4), np.float32))
    print(f"{case['name']}: {net.forward()[0, 0, 0, 0]:.4f}, defined {case['defined']:.4f}")
PYTHON

cat > "$folder/opencv.js" <<'JAVASCRIPT'
const fs = require('fs'), folder = process.argv[2];
(async () => {
  let cv = require('@techstark/opencv-js');
  if (cv instanceof Promise) cv = await cv;
  else await new Promise(done => { cv.onRuntimeInitialized = done; });
  console.log('OpenCV', cv.getBuildInformation().match(/OpenCV (\S+)/)[1]);
  for (const c of JSON.parse(fs.readFileSync(folder + '/index.json'))) {
    cv.FS_createDataFile('/', c.file, fs.readFileSync(folder + '/' + c.file), true, false, false);
    const net = cv.readNetFromONNX('/' + c.file);
    const image = cv.matFromArray(4, 4, cv.CV_32FC1, new Array(16).fill(1));
    net.setInput(cv.blobFromImage(image, 1, new cv.Size(4, 4), new cv.Scalar(0, 0, 0, 0), false, false, cv.CV_32F));
    console.log(`${c.name}: ${net.forward().data32F[0].toFixed(4)}, defined ${c.defined.toFixed(4)}`);
  }
})();
JAVASCRIPT

expected='count_include_pad=0 producer=somebody: 1.0000, defined 1.0000
count_include_pad=1 producer=somebody: 1.0000, defined 0.4444
count_include_pad=0 producer=pytorch: 0.4444, defined 1.0000
count_include_pad=1 producer=pytorch: 0.4444, defined 0.4444
Pad before AveragePool: 0.4444, defined 0.4444'

judge() {  # reads the output of one version
  local output
  output=$(grep -E "^OpenCV|defined")
  echo "$output"
  if [ "$(echo "$output" | tail -n +2)" != "$expected" ]; then
    echo "this is not the behaviour that is described above"
    exit 1
  fi
}
"$python" "$folder/opencv.py" "$folder" 2> /dev/null | judge
if command -v npm > /dev/null && command -v node > /dev/null; then
  (cd "$folder" && npm install --silent --no-audit --no-fund --ignore-scripts @techstark/opencv-js@4.10.0-release.1 > /dev/null)
  (cd "$folder" && node opencv.js "$folder") | judge
else
  echo "node and npm are absent: OpenCV 4.10.0 is not tried"
fi
echo "as described"
