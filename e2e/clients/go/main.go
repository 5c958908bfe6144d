// Go-metrics-client asks for metrics in the way that Go programs and the autoscaler itself do, and prints what it got as one
// line of JSON. See the README beside it for the arguments, which all clients share.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	"k8s.io/metrics/pkg/client/custom_metrics"
	"k8s.io/metrics/pkg/client/external_metrics"
)

// sample is one value of a metric.
type sample struct {
	Metric    string            `json:"metric"`
	Object    string            `json:"object,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Value     string            `json:"value"`
	Timestamp string            `json:"timestamp"`
}

// refusal is what the server said instead.
type refusal struct {
	Status  int32  `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func main() {
	answer, err := run(os.Args[1:])
	if err != nil {
		answer = map[string]refusal{"refused": understand(err)}
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		os.Exit(1)
	}
}

func understand(err error) refusal {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		said := status.Status()
		return refusal{Status: said.Code, Reason: string(said.Reason), Message: said.Message}
	}
	return refusal{Message: err.Error()}
}

func run(arguments []string) (any, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	at := func(place int) string {
		if place < len(arguments) {
			return arguments[place]
		}
		return ""
	}
	switch at(0) {
	case "object":
		return object(config, at(1), schema.ParseGroupResource(at(2)), at(3), at(4), at(5))
	case "objects":
		return objects(config, at(1), schema.ParseGroupResource(at(2)), at(3), at(4), at(5))
	case "external":
		return external(config, at(1), at(2), at(3))
	case "resources":
		return resources(config, at(1))
	default:
		return nil, fmt.Errorf("no such question: %q", at(0))
	}
}

// metricsOf returns the getter of a namespace, or of the cluster where none is named, and the kind behind a resource.
func metricsOf(
	config *rest.Config, namespace string, resource schema.GroupResource,
) (custom_metrics.MetricsInterface, schema.GroupKind, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, schema.GroupKind{}, err
	}
	cached := memory.NewMemCacheClient(client)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cached)
	kind, err := mapper.KindFor(resource.WithVersion(""))
	if err != nil {
		return nil, schema.GroupKind{}, err
	}
	metrics := custom_metrics.NewForConfig(config, mapper, custom_metrics.NewAvailableAPIsGetter(cached))
	if namespace == "" {
		return metrics.RootScopedMetrics(), kind.GroupKind(), nil
	}
	return metrics.NamespacedMetrics(namespace), kind.GroupKind(), nil
}

func object(
	config *rest.Config, namespace string, resource schema.GroupResource, name, metric, selector string,
) (any, error) {
	wanted, err := labels.Parse(selector)
	if err != nil {
		return nil, err
	}
	metrics, kind, err := metricsOf(config, namespace, resource)
	if err != nil {
		return nil, err
	}
	value, err := metrics.GetForObject(kind, name, metric, wanted)
	if err != nil {
		return nil, err
	}
	return samples([]v1beta2.MetricValue{*value}), nil
}

func objects(
	config *rest.Config, namespace string, resource schema.GroupResource, metric, selector, metricSelector string,
) (any, error) {
	wanted, err := labels.Parse(selector)
	if err != nil {
		return nil, err
	}
	ofMetric, err := labels.Parse(metricSelector)
	if err != nil {
		return nil, err
	}
	metrics, kind, err := metricsOf(config, namespace, resource)
	if err != nil {
		return nil, err
	}
	list, err := metrics.GetForObjects(kind, wanted, metric, ofMetric)
	if err != nil {
		return nil, err
	}
	return samples(list.Items), nil
}

func samples(values []v1beta2.MetricValue) map[string][]sample {
	found := []sample{}
	for _, value := range values {
		found = append(found, sample{
			Metric:    value.Metric.Name,
			Object:    value.DescribedObject.Kind + "/" + value.DescribedObject.Name,
			Value:     value.Value.String(),
			Timestamp: value.Timestamp.UTC().Format(time.RFC3339),
		})
	}
	return map[string][]sample{"samples": found}
}

func external(config *rest.Config, namespace, metric, selector string) (any, error) {
	wanted, err := labels.Parse(selector)
	if err != nil {
		return nil, err
	}
	client, err := external_metrics.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	list, err := client.NamespacedMetrics(namespace).List(metric, wanted)
	if err != nil {
		return nil, err
	}
	found := []sample{}
	for _, value := range list.Items {
		found = append(found, sample{
			Metric:    value.MetricName,
			Labels:    value.MetricLabels,
			Value:     value.Value.String(),
			Timestamp: value.Timestamp.UTC().Format(time.RFC3339),
		})
	}
	return map[string][]sample{"samples": found}, nil
}

// resources lists what a group and version serves, as discovery tells it.
func resources(config *rest.Config, groupVersion string) (any, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	list, err := client.ServerResourcesForGroupVersion(groupVersion)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, resource := range list.APIResources {
		names = append(names, resource.Name)
	}
	sort.Strings(names)
	return map[string][]string{"resources": names}, nil
}
