/// Chains of layers that every backend must compute as the reference backend does: all layers, alone and one after
/// another, with and without biases.
#pragma once

namespace ntkrob::kit {

inline const char* const kParitySpecs[] = {
    "dense",
    "fc:1",
    "fc:3",
    "fc:3(w=1.41421356237,b=0)",
    "fc:7(b=0.5)",
    "dense(w=0.7,b=0)-relu-dense(w=2,b=1)",
    "dense-dense-relu-dense(b=0)",
    "dense-leaky-dense(b=0)-leaky(alpha=0.3)-dense",
    "dense-abs-dense",
    "dense(b=0)-abs-dense(b=0)-abs-dense(b=0)",
    "dense-abrelu(-0.5,0.2)-dense-identity-dense",
    "dense-layernorm(0.1)-relu-dense-relu-layernorm-dense",
    "dense-relu-dense-sign-dense",
    "dense(param=standard,in=11,width=40)-relu-dense(b=0,param=standard,width=7)-scale(0.5)-"
    "erf-dense(w=2,param=standard)",
    "dense-erf-dense-erf(a=0.7,b=2,c=0.3)-dense",
    "dense(b=0)-erf-dense(b=0)-relu-dense",
    "dense-gelu-dense(b=0)-gelu-dense",
    "dense(b=0)-gelu-dense-relu-dense",
    "dense-sin-dense-sin(2,0.5,0.7)-dense",
    "dense(b=0)-sin-dense(b=0)-cos-dense",
    "dense-cos(0.5,1.5,-0.4)-dense-erf-dense",
    "dense-gaussian-dense(w=0.5)-gaussian(a=2,b=0.02)-dense",
    "dense(w=1)-exp(a=0.5,b=0.6)-dense(w=0.7)-exp(b=0.5)-dense",
    "dense-relu-dropout(0.7)-dense-erf-dropout-dense",
    "dense-hermite(3)-dense(w=0.3)-hermite-dense",
    "dense-monomial(3)-dense(w=0.3)-monomial-dense",
    "dense(b=0)-monomial(2)-dense(w=0.5,b=0)-monomial(5)-dense(b=0)"};

}  // namespace ntkrob::kit
