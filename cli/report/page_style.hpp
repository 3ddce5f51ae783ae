/// The style sheet of the pages that the command writes: light, one column, tables that scroll where they do not fit.
#pragma once

namespace ntkrob::cli {

constexpr char kPageStyle[] = R"css(
:root { color-scheme: light; --ink: #1d2733; --dim: #5d6b7a; --line: #dde3ea; --blue: #2563a8; --red: #b3261e;
  --green: #1d7a46; --pale: #f5f7fa; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; }
h1 { font-size: 1.7rem; margin: 0 0 .8rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .7rem; padding-top: 1.1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p { max-width: 50rem; }
code { font: .92em ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0 0 1rem; }
dt { color: var(--dim); }
dd { margin: 0; overflow-wrap: anywhere; }
.note { background: var(--pale); border-left: 4px solid var(--blue); padding: .6rem .9rem; max-width: none; }
.note.alarm { background: #fdf1f0; border-color: var(--red); }
.figures { display: flex; flex-wrap: wrap; gap: .8rem; }
.figure { flex: 1 1 11rem; background: var(--pale); border-radius: 6px; padding: .7rem 1rem; }
.figure b { display: block; font-size: 1.7rem; line-height: 1.25; }
.figure span, .dim, figcaption, footer { color: var(--dim); font-size: .88rem; }
.good { color: var(--green); }
.bad { color: var(--red); }
.wide { overflow-x: auto; }
.wide table { min-width: 46rem; }
.wide code { white-space: nowrap; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .45rem .7rem; border-bottom: 1px solid var(--line); }
th { color: var(--dim); font-weight: 600; white-space: nowrap; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.part td { color: var(--dim); border-bottom-style: dotted; }
tr.part td:first-child { padding-left: 1.8rem; }
.bar { position: relative; min-width: 9rem; height: 1.5rem; background: #e8eef5; border-radius: 3px; }
.bar div { height: 100%; background: #a9c6e6; border-radius: 3px; }
.bar span { position: absolute; inset: 0 .5rem; line-height: 1.5rem; font-variant-numeric: tabular-nums; }
.tag { display: inline-block; padding: 0 .5rem; border-radius: 3px; font-size: .82rem; background: #e9edf2; color: var(--dim); }
.tag.passed { background: #e3f3e9; color: var(--green); }
.tag.alarm { background: #fbe3e1; color: var(--red); font-weight: 600; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0 0 .8rem; }
.chart { width: 100%; height: auto; display: block; }
.chart text { font-size: 13px; fill: var(--dim); }
.chart .grid { stroke: var(--line); }
.chart .tick { stroke: var(--dim); }
.chart .mark { stroke: var(--red); stroke-dasharray: 4 4; }
.chart polyline { fill: none; stroke-width: 2.2; }
.chart line.main { stroke-width: 2.2; }
.chart .main { stroke: var(--blue); }
.chart circle.main { fill: var(--blue); }
.chart .second { stroke: #9a7b33; stroke-dasharray: 5 4; }
.chart circle.second { fill: #fff; stroke-dasharray: none; }
.stack figure { max-width: 56rem; margin-bottom: 1.6rem; }
.matrix { width: 100%; height: auto; display: block; }
.matrix text { fill: var(--dim); }
.matrix .axis { font-size: 12px; font-style: italic; }
.matrix .ground { fill: var(--pale); stroke: var(--line); }
.matrix .right { fill: var(--blue); }
.matrix .wrong { fill: var(--red); }
.matrix .count { fill: var(--ink); }
.matrix .count.light { fill: #fff; }
.classes { margin-bottom: 1.2rem; }
.classes td:first-child { overflow-wrap: anywhere; min-width: 9rem; }
details.more { margin: .8rem 0 1.4rem; }
.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); gap: 1.1rem; }
.example div { display: grid; grid-template-columns: repeat(3, 1fr); gap: 4px; }
.example img { width: 100%; image-rendering: pixelated; border: 1px solid var(--line); display: block; }
.example figcaption { margin-top: .3rem; color: var(--ink); }
details { margin-top: 2.2rem; }
summary { cursor: pointer; font-weight: 600; }
.constants { font-size: .88rem; }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: .8rem; }
@media (max-width: 36rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .35rem; } }
)css";

}  // namespace ntkrob::cli
