// Labels a JPEG with the graph that retrain.py wrote: label_image output_graph.pb output_labels.txt photo.jpg
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include "tensorflow/cc/ops/array_ops.h"
#include "tensorflow/cc/ops/const_op.h"
#include "tensorflow/cc/ops/image_ops.h"
#include "tensorflow/cc/ops/io_ops.h"
#include "tensorflow/cc/ops/math_ops.h"
#include "tensorflow/core/platform/env.h"
#include "tensorflow/core/public/session.h"
using namespace tensorflow;

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: %s GRAPH LABELS PHOTO\n", argv[0]), 2;
  GraphDef graph;
  TF_CHECK_OK(ReadBinaryProto(Env::Default(), argv[1], &graph));
  int height = 0, width = 0;
  for (const NodeDef& node : graph.node())
    if (node.name() == "Placeholder") {
      height = node.attr().at("shape").shape().dim(1).size();
      width = node.attr().at("shape").shape().dim(2).size();
    }

  // The photo as in training: bilinear, averaging over the area of each new pixel, values from 0 to 1.
  Scope scope = Scope::NewRootScope();
  auto file = ops::ReadFile(scope, std::string(argv[3]));
  auto photo = ops::DecodeJpeg(scope, file, ops::DecodeJpeg::Channels(3).DctMethod("INTEGER_ACCURATE"));
  auto batch = ops::ExpandDims(scope, ops::Cast(scope, photo, DT_FLOAT), 0);
  auto old_size = ops::Slice(scope, ops::Shape(scope, photo), {0}, {2});
  auto scale = ops::Div(scope, {float(height), float(width)}, ops::Cast(scope, old_size, DT_FLOAT));
  auto resized = ops::ScaleAndTranslate(scope, batch, {height, width}, scale, {0.f, 0.f},
                                        ops::ScaleAndTranslate::KernelType("triangle"));
  ops::Div(scope.WithOpName("pixels"), resized, 255.f);
  GraphDef preparation;
  TF_CHECK_OK(scope.ToGraphDef(&preparation));
  graph.MergeFrom(preparation);

  std::unique_ptr<Session> session(NewSession(SessionOptions()));
  TF_CHECK_OK(session->Create(graph));
  std::vector<Tensor> pixels, scores;
  TF_CHECK_OK(session->Run({}, {"pixels:0"}, {}, &pixels));
  TF_CHECK_OK(session->Run({{"Placeholder:0", pixels[0]}}, {"final_result:0"}, {}, &scores));

  std::multimap<float, std::string, std::greater<float>> best_first;
  std::ifstream labels(argv[2]);
  std::string label;
  for (int i = 0; std::getline(labels, label); ++i) best_first.emplace(scores[0].matrix<float>()(0, i), label);
  for (const auto& [score, name] : best_first) std::printf("%s %.5f\n", name.c_str(), score);
}
