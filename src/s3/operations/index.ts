import type { Operation } from '../operation.ts'
import { AbortMultipartUpload } from './abort-multipart-upload.ts'
import { CompleteMultipartUpload } from './complete-multipart-upload.ts'
import { CopyObject } from './copy-object.ts'
import { CreateBucket } from './create-bucket.ts'
import { CreateMultipartUpload } from './create-multipart-upload.ts'
import { DeleteBucketPolicy } from './delete-bucket-policy.ts'
import { DeleteBucket } from './delete-bucket.ts'
import { DeleteObject } from './delete-object.ts'
import { DeleteObjects } from './delete-objects.ts'
import { GetBucketLocation } from './get-bucket-location.ts'
import { GetBucketPolicyStatus } from './get-bucket-policy-status.ts'
import { GetBucketPolicy } from './get-bucket-policy.ts'
import { GetObjectAttributes } from './get-object-attributes.ts'
import { GetObject } from './get-object.ts'
import { HeadBucket } from './head-bucket.ts'
import { HeadObject } from './head-object.ts'
import * as later from './later.ts'
import { ListBuckets } from './list-buckets.ts'
import { ListMultipartUploads } from './list-multipart-uploads.ts'
import { ListObjectsV2 } from './list-objects-v2.ts'
import { ListObjects } from './list-objects.ts'
import { ListParts } from './list-parts.ts'
import { PreflightBucket, PreflightObject } from './preflight-options.ts'
import { PutBucketPolicy } from './put-bucket-policy.ts'
import { PutObject } from './put-object.ts'
import * as refusals from './refusals.ts'
import { UploadPartCopy } from './upload-part-copy.ts'
import { UploadPart } from './upload-part.ts'

/** Every operation, in the order requests are matched against them: of two that fit the first answers. */
export const operations: readonly Operation[] = [
  ListBuckets,

  ...later.bucketPuts,
  PutBucketPolicy,
  ...later.bucketPutsAfterPolicy,
  CreateBucket,
  HeadBucket,
  ...later.bucketDeletes,
  DeleteBucketPolicy,
  ...later.bucketDeletesAfterPolicy,
  DeleteBucket,
  GetBucketLocation,
  ...later.bucketGets,
  GetBucketPolicy,
  ...later.bucketGetsAfterPolicy,
  ListMultipartUploads,
  ...later.bucketGetsAfterUploads,
  GetBucketPolicyStatus,
  ...later.bucketGetsAfterPolicyStatus,
  ListObjectsV2,
  ListObjects,
  DeleteObjects,
  later.PostObject,
  PreflightBucket,

  refusals.HeadWithCopySource,
  HeadObject,
  refusals.GetWithCopySource,
  refusals.UploadsOfKey,
  refusals.VersionsOfKey,
  ...later.objectGets,
  GetObjectAttributes,
  ListParts,
  GetObject,
  refusals.DeleteWithCopySource,
  ...later.objectDeletes,
  AbortMultipartUpload,
  DeleteObject,
  ...later.objectPosts,
  refusals.CompleteWithCopySource,
  CompleteMultipartUpload,
  CreateMultipartUpload,
  ...later.objectPuts,
  UploadPartCopy,
  UploadPart,
  refusals.PartWithoutUpload,
  refusals.PutOfUpload,
  CopyObject,
  PutObject,
  PreflightObject,
]
