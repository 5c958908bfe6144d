// Constant-adapter answers every custom and external metric with the same value, through the library that Go adapters are
// written with. Nothing is looked up: it is the floor that the library, net/http and JSON set, as a peer for benchmarks.
package main

import (
	"context"
	"log"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/cmd"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider/defaults"
)

// value is what every metric is worth: no other adapter of the benchmark says the same.
const value = 321

// constant knows no objects and no metrics: whatever is asked for exists.
type constant struct {
	defaults.DefaultCustomMetricsProvider
	defaults.DefaultExternalMetricsProvider
}

func (constant) GetMetricByName(
	_ context.Context, object types.NamespacedName, info provider.CustomMetricInfo, _ labels.Selector,
) (*custom_metrics.MetricValue, error) {
	return &custom_metrics.MetricValue{
		DescribedObject: custom_metrics.ObjectReference{
			Kind:      info.GroupResource.Resource,
			Namespace: object.Namespace,
			Name:      object.Name,
		},
		Metric:    custom_metrics.MetricIdentifier{Name: info.Metric},
		Timestamp: metav1.Time{Time: time.Now()},
		Value:     *resource.NewQuantity(value, resource.DecimalSI),
	}, nil
}

func (c constant) GetMetricBySelector(
	ctx context.Context, namespace string, _ labels.Selector, info provider.CustomMetricInfo, metric labels.Selector,
) (*custom_metrics.MetricValueList, error) {
	only, err := c.GetMetricByName(ctx, types.NamespacedName{Namespace: namespace, Name: "only"}, info, metric)
	if err != nil {
		return nil, err
	}
	return &custom_metrics.MetricValueList{Items: []custom_metrics.MetricValue{*only}}, nil
}

func (constant) GetExternalMetric(
	_ context.Context, _ string, _ labels.Selector, info provider.ExternalMetricInfo,
) (*external_metrics.ExternalMetricValueList, error) {
	return &external_metrics.ExternalMetricValueList{Items: []external_metrics.ExternalMetricValue{{
		MetricName: info.Metric,
		Timestamp:  metav1.Time{Time: time.Now()},
		Value:      *resource.NewQuantity(value, resource.DecimalSI),
	}}}, nil
}

func main() {
	adapter := &cmd.AdapterBase{Name: "constant-adapter"}
	if err := adapter.Flags().Parse(os.Args); err != nil {
		log.Fatalf("parse arguments: %v", err)
	}
	adapter.WithCustomMetrics(constant{})
	adapter.WithExternalMetrics(constant{})
	if err := adapter.Run(context.Background()); err != nil {
		log.Fatalf("run: %v", err)
	}
}
