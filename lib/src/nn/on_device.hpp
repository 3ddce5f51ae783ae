/// A net in the memory of a backend, and the parameters of Net::layers() beside it: which copy is the newer one, and
/// when numbers move.
#pragma once

#include <memory>
#include <vector>

#include "ntkrob/backend/net.hpp"
#include "ntkrob/nn/net.hpp"

namespace ntkrob::nn {

class OnDevice {
 public:
  explicit OnDevice(std::unique_ptr<NetRunner> runner) : runner_(std::move(runner)) {}
  /// Where the net's parameters are in host memory; nets move.
  void attach(std::vector<LayerParameters>& layers) { layers_ = &layers; }

  /// The runner, with the host's parameters where those are newer.
  NetRunner& ready();
  /// Brings the host's parameters up to date.
  void fetch();
  /// Somebody holds a reference to the host's parameters and may write at any time: from now on they are sent before
  /// every pass, and follow every update.
  void expose() { exposed_ = true; }
  /// The runner has changed its parameters.
  void updated();
  /// Gradients of the last pass.   grads: of the shapes of the parameters
  void get_gradients(std::vector<LayerParameters>& grads);

  /// While this exists the runner alone has the parameters, except for who asks for them anew; references from before
  /// see them at its end.
  class Training {
   public:
    /// x: N x D, or no data: NetRunner::start_training
    Training(OnDevice& device, ConstView2D<float> x, double momentum, double weight_decay);
    /// Brings the parameters back. An error of the device waits for the next fetch().
    ~Training();
    /// Velocities of the layers that have parameters.   velocities: of the shapes of the parameters
    void get_velocities(std::vector<LayerParameters>& velocities);
    void set_velocities(const std::vector<LayerParameters>& velocities);
    Training(const Training&) = delete;
    Training& operator=(const Training&) = delete;

   private:
    OnDevice& device_;
    const bool exposed_;
  };

 private:
  std::unique_ptr<NetRunner> runner_;
  std::vector<LayerParameters>* layers_ = nullptr;
  bool exposed_ = false;
  bool runner_old_ = true, host_old_ = false;  // never both
};

}  // namespace ntkrob::nn
