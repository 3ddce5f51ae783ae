/// Networks on images with every operation, for parity tests between backends.
#pragma once

namespace ntkrob::kit {

inline const char* const kImageSpecs[] = {
    "conv(3)-relu-flatten-dense", "conv(3,stride=2)-relu-conv(2,pad=valid)-erf-flatten-dense",
    "conv(3,pad=circular)-relu-gap-dense", "conv(2,3,sh=2,sw=1,b=0)-gelu-gap-dense(b=0)",
    "conv(3,dilation=2)-leaky-conv(3,pad=valid,dilation=2)-abs-flatten-dense",
    "conv(3)-relu-avgpool(2)-conv(3)-relu-gap-dense", "conv(3)-avgpool(3,stride=2,pad=same)-relu-flatten-dense",
    "conv(3)-avgpool(3,stride=2,pad=same,edges=inside)-sin-gap-dense",
    "conv(3)-relu-sumpool(2,3)-conv(1,w=0.5)-relu-flatten-dense",
    "conv(3)-relu-avgpool(2,pad=circular,stride=1)-conv(1)-relu-gap-dense",
    "conv(3)-residual(relu-conv(3))-relu-gap-dense",
    "conv(3)-sum(relu-conv(3,stride=2) | conv(1,stride=2) | avgpool(2,pad=same)-conv(2))-relu-"
    "flatten-dense",
    "conv(3)-layernorm(0.1)-relu-conv(3)-layernorm(0.3,axes=all)-relu-gap-dense",
    // nonlinear layers behind the reductions
    "conv(3)-relu-flatten-dense-relu-dense", "conv(3)-gap-relu-dense", "conv(3)-relu-gap-dense-relu-dense",
    "conv(3)-relu-gap-layernorm(0.1)-dense-erf-dense(b=0)",
    "conv(3)-sum(relu-gap-dense | relu-flatten-dense)-relu-dense", "dense-residual(relu-dense)-relu-dense",
    "conv(3)-concat(relu-conv(3,stride=2) | relu-conv(1,stride=2))-conv(2)-relu-gap-dense",
    "conv(3,width=4)-concat(relu-conv(3,width=20) | )-conv(3)-relu-flatten-dense",
    "dense-concat(relu | erf | )-dense-relu-dense",
    "conv(3,param=standard,in=2,width=8)-relu-conv(3,param=standard)-gap-dense(param=standard,in=5)",
    // products
    "conv(3)-product(relu-conv(3) | conv(1,b=0))-conv(2)-relu-flatten-dense",
    "conv(3)-product(relu-conv(3,b=0.3) | )-gap-dense-relu-dense",
    "dense-product(relu-dense | erf-dense(b=0) | )-dense",
    "conv(3)-sum(product(relu-conv(3) | conv(1)) | conv(2))-avgpool(2)-conv(1)-relu-gap-dense",
    "conv(3)-product(avgpool(2)-conv(3,b=0.2) | relu-conv(2,stride=2,pad=valid))-conv(1)-gelu-flatten-dense"};

}  // namespace ntkrob::kit
